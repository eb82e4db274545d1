import { memoryText } from '#core/memory-text.ts'
import type { DeviceCheck } from '#placement/planner/checks/check.ts'

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
      what: `${id} (${device.name}) has ${memoryText(has)}, and at least ${memoryText(least)} is asked for`,
      unlockedBy: `constraints.minVram of at most ${memoryText(has)}`,
    }
  },
}
