import type { Rank } from '#placement/planner/ranks/rank.ts'

/**
 * A device twice as large as needed may be the only one for the next model: each doubling is worth
 * half a second, so that a model moves up for speed, and not for nothing.
 */
const secondsEachDoubling = 0.5

/**
 * Small models on small devices. What counts as needed is all but the KV cache, which fills whatever
 * it is given, and a quarter of it on top.
 */
export const oversize: Rank = {
  name: 'oversize',
  seconds({ fit, capacityBytes, devices }) {
    // The memory of the machine is rarely what is short.
    if (devices.every(({ device }) => device.vendor === 'cpu')) return 0
    let needed = 0
    for (const { terms, needBytes } of fit.memory.devices) {
      let kv = 0
      for (const { name, bytes } of terms) if (name === 'kv-cache') kv += bytes
      needed += Math.max(needBytes - kv, 0)
    }
    if (needed <= 0) return 0
    return Math.max(0, Math.log2(capacityBytes / (needed * 1.25))) * secondsEachDoubling
  },
}
