import { backendsOfVendor } from '#core/engine-build.ts'
import type { DeviceCheck } from '#placement/planner/checks/check.ts'

/** A deployment that names backends runs on devices that have one of them. */
export const backends: DeviceCheck = {
  name: 'backends',
  onRunning: 'moves',
  refuse(deployment, { id, device }) {
    const { backends: wanted } = deployment.constraints
    const has = backendsOfVendor[device.vendor]
    if (wanted === null || has.some((backend) => wanted.includes(backend))) return null
    return {
      check: 'backends',
      what: `${id} (${device.name}) has ${has.join(', ')}, and ${wanted.join(' or ')} is asked for`,
      unlockedBy: `constraints.backends with ${has.join(' or ')}`,
    }
  },
}
