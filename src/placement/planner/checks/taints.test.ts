import { expect, test } from 'vitest'
import type { Taint, Toleration } from '#core/deployment.ts'
import { isTolerated, taints } from '#placement/planner/checks/taints.ts'
import { deployment, placementNode } from '#testing/placement-input.ts'

const taint = (effect: Taint['effect'], value: string | null = 'vllm'): Taint => ({
  key: 'dedicated',
  value,
  effect,
})
const toleration = (more: Partial<Toleration>): Toleration => ({
  key: 'dedicated',
  value: null,
  effect: null,
  ...more,
})

test.each([
  { name: 'any value and effect', tolerates: toleration({}), is: true },
  { name: 'this value', tolerates: toleration({ value: 'vllm' }), is: true },
  { name: 'another value', tolerates: toleration({ value: 'whisper' }), is: false },
  { name: 'this effect', tolerates: toleration({ effect: 'NoSchedule' }), is: true },
  { name: 'another effect', tolerates: toleration({ effect: 'NoExecute' }), is: false },
  { name: 'another key', tolerates: toleration({ key: 'gpu' }), is: false },
])('dedicated=vllm:NoSchedule, and $name is tolerated: $is', ({ tolerates, is }) => {
  expect(isTolerated(taint('NoSchedule'), [tolerates])).toBe(is)
})

test.each([
  { effect: 'NoSchedule', refuses: true, runs: 'stays' },
  { effect: 'PreferNoSchedule', refuses: false, runs: 'stays' },
  { effect: 'NoExecute', refuses: true, runs: 'leaves' },
] as const)('$effect refuses what is new: $refuses; what runs there $runs', (row) => {
  const node = placementNode('khelben', [], { taints: [taint(row.effect)] })
  const chat = deployment('chat', 8)
  expect(taints.refuse(chat, node) !== null).toBe(row.refuses)
  expect(taints.onRunning(chat, node)).toBe(row.runs)
})

test('the reason has the taint as one writes it, and the toleration that helps', () => {
  const node = placementNode('khelben', [], { taints: [taint('NoSchedule')] })
  expect(taints.refuse(deployment('chat', 8), node)).toEqual({
    check: 'taints',
    what: 'khelben has the taint dedicated=vllm:NoSchedule, which is not tolerated',
    unlockedBy: 'tolerations: [dedicated=vllm]',
  })
})
