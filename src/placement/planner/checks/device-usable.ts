import type { DeviceCheck } from '#placement/planner/checks/check.ts'

/** Devices that detection found nothing can be planned for, in the words it found. */
export const deviceUsable: DeviceCheck = {
  name: 'device',
  onRunning: 'stays',
  refuse: (_, { id, device }) =>
    device.schedulable
      ? null
      : {
          check: 'device',
          what: `${id} cannot be planned with: ${device.reason ?? 'nobody knows why'}`,
          unlockedBy: null,
        },
}
