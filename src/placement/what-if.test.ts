import { expect, test } from 'vitest'
import { withDevices } from '#placement/what-if.ts'
import { inventory, nvidia, placementDevice, placementNode } from '#testing/placement-input.ts'

test('a device that is supposed has a number of its own, also beside a gap', () => {
  const second = placementDevice('nvidia-1', 'nvidia', 8, 448, { index: 1 })
  const fleet = inventory([placementNode('khelben', [second])])
  const nodes = withDevices(fleet, 'khelben', [nvidia(24), nvidia(24)])?.nodes
  expect(nodes?.[0]?.devices.map(({ id }) => id)).toEqual(['nvidia-1', 'nvidia-2', 'nvidia-3'])
})
