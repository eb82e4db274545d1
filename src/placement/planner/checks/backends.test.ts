import { expect, test } from 'vitest'
import { backends } from '#placement/planner/checks/backends.ts'
import { deployment, placementDevice, placementNode } from '#testing/placement-input.ts'

test.each([
  { vendor: 'nvidia', wanted: null, ok: true },
  { vendor: 'nvidia', wanted: ['cuda'], ok: true },
  { vendor: 'amd', wanted: ['cuda', 'rocm'], ok: true },
  { vendor: 'amd', wanted: ['cuda'], ok: false },
  { vendor: 'cpu', wanted: ['metal', 'vulkan'], ok: false },
] as const)('$vendor for $wanted is right: $ok', ({ vendor, wanted, ok }) => {
  const chat = deployment('chat', 8, { constraints: { backends: wanted } })
  const device = placementDevice(`${vendor}-0`, vendor, 24, 900)
  expect(backends.refuse(chat, device, placementNode('a', [])) === null).toBe(ok)
})
