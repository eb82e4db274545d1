import { memoryText } from '#core/memory-text.ts'
import type { DiskCheck } from '#placement/planner/checks/check.ts'

/** Weights that are not there yet must have room on the disk of the node. */
export const diskRoom: DiskCheck = {
  name: 'disk',
  refuse(_, { variant }, node) {
    const free = node.freeDiskBytes
    const needed = variant.facts?.tensorBytes ?? null
    if (free === null || needed === null || needed <= free) return null
    if (node.weights.includes(variant.source)) return null
    return {
      check: 'disk',
      what: `${variant.source} is ${memoryText(needed)}, and ${node.name} has ${memoryText(free)} of disk`,
      unlockedBy: `${memoryText(needed - free)} more of disk on ${node.name}, or weights removed there`,
    }
  },
}
