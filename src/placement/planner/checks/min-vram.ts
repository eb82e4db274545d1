import type { DeviceCheck } from '#placement/planner/checks/check.ts'
import { gibibytes } from '#placement/planner/words.ts'

/** The least memory of each device, as it is sold: free or not is another check. */
export const minVram: DeviceCheck = {
  name: 'minVram',
  onRunning: 'moves',
  refuse(deployment, { id, device }) {
    const least = deployment.constraints.minVramBytes
    if (least === null) return null
    const has = device.memoryBytes ?? 0
    // Drivers report a little less than the size on the box: 23.99 GiB of a 24 GiB device.
    if (has >= least * 0.98) return null
    return {
      check: 'minVram',
      what: `${id} (${device.name}) has ${gibibytes(has)}, and at least ${gibibytes(least)} is asked for`,
      unlockedBy: `constraints.minVram of at most ${gibibytes(has)}`,
    }
  },
}
