import { expect, test } from 'vitest'
import { deviceUsable } from '#placement/planner/checks/device-usable.ts'
import { deployment, placementDevice, placementNode } from '#testing/placement-input.ts'

test('a device that cannot be planned with is refused in the words of detection', () => {
  const reason = 'the size of its memory is unknown'
  const device = placementDevice('other-0', 'other', 0, 0, { schedulable: false, reason })
  expect(deviceUsable.refuse(deployment('chat', 8), device, placementNode('a', []))?.what).toBe(
    'other-0 cannot be planned with: the size of its memory is unknown',
  )
})
