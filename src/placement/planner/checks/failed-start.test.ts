import { expect, test } from 'vitest'
import type { FailedStart } from '#placement/inventory.ts'
import { failedStart } from '#placement/planner/checks/failed-start.ts'
import { deployment } from '#testing/placement-input.ts'

const failure: FailedStart = {
  deployment: 'chat',
  node: 'a',
  devices: ['nvidia-0'],
  engine: 'vllm',
  backend: 'cuda',
  source: 'hf:x',
  because: 'it ended five times with CUDA out of memory',
}

test.each([
  { name: 'the same', more: {}, ok: false },
  { name: 'another engine', more: { engine: 'sglang' }, ok: true },
  { name: 'other devices', more: { devices: ['nvidia-1'] }, ok: true },
  { name: 'another variant', more: { source: 'hf:y' }, ok: true },
])('after a start that failed, $name may be tried: $ok', ({ more, ok }) => {
  const start = { ...failure, ...more }
  expect(failedStart.refuse(deployment('chat', 8), start, [failure]) === null).toBe(ok)
})
