import { memoryText } from '#core/memory-text.ts'
import type { Rule } from '#hardware/doctor/rule.ts'

/** An 8B model is 5 GB in 4 bits and 16 GB in 16 bits; below 20 GiB not even that one fits. */
const comfortableBytes = 20 * 2 ** 30
/** Below 2 GiB engines cannot even write their caches. */
const neededBytes = 2 * 2 ** 30

export const diskSpace: Rule = ({ checkup }) => {
  const { disk } = checkup
  if (disk === null || disk.freeBytes >= comfortableBytes) return []
  const tooSmall = disk.freeBytes < neededBytes
  return [
    {
      severity: tooSmall ? 'error' : 'warning',
      what: `${memoryText(disk.freeBytes)} are free on the disk of ${disk.path}.`,
      why: 'A model of 8 billion parameters takes 5 GB in 4 bits and 16 GB in 16 bits; a download that does not fit is not started.',
      fix: 'Free some space ("docker system prune", old models), or keep models elsewhere: export MOTLEY_DATA_DIR=/path/on/a/larger/disk',
    },
  ]
}
