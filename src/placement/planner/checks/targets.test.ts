import { expect, test } from 'vitest'
import type { Targets } from '#core/deployment.ts'
import type { SpeedEstimate } from '#placement/fit.ts'
import { missedTargets, targets } from '#placement/planner/checks/targets.ts'
import { deployment } from '#testing/placement-input.ts'

/** 1,024 tokens of prompt in half a second, and 40 ms a token. */
const speed: SpeedEstimate = {
  promptTokensPerSecond: 2_048,
  decodeTokensPerSecond: 25,
  startMs: 60_000,
  basis: 'bandwidth',
}

test.each<{ targets: Partial<Targets>; missed: string[] }>([
  { targets: {}, missed: [] },
  { targets: { ttftMs: 500, tpotMs: 40 }, missed: [] },
  { targets: { ttftMs: 400 }, missed: ['ttft 500 ms expected, at most 400 ms asked for'] },
  { targets: { tpotMs: 30 }, missed: ['tpot 40 ms expected, at most 30 ms asked for'] },
  { targets: { startMs: 30_000 }, missed: ['start 60.0 s expected, at most 30.0 s asked for'] },
  { targets: { tokensPerSecond: 200 }, missed: [] },
  {
    targets: { tokensPerSecond: 400 },
    missed: ['100 tokens/s a replica expected, 200 asked for'],
  },
])('with 4 slots and up to 2 replicas, $targets misses $missed', ({ targets, missed }) => {
  const chat = deployment('chat', 8, { targets, replicas: { min: 1, max: 2 } })
  expect(missedTargets(chat, speed, 4).map(({ what }) => what)).toEqual(missed)
})

test('a speed that nobody can predict misses nothing', () => {
  const unknown = { ...speed, promptTokensPerSecond: null, decodeTokensPerSecond: null }
  const chat = deployment('chat', 8, { targets: { ttftMs: 1, tpotMs: 1, tokensPerSecond: 1e6 } })
  expect(missedTargets(chat, unknown, 4)).toEqual([])
})

test.each([
  { backend: 'cpu', target: { tpotMs: 30 }, code: 'latency-on-throughput' },
  { backend: 'cuda', target: { tpotMs: 30 }, code: undefined },
  { backend: 'cpu', target: { tokensPerSecond: 1e6 }, code: undefined },
] as const)('missing $target on $backend is called $code', ({ backend, target, code }) => {
  const chat = deployment('chat', 8, { targets: target })
  const fit = { setting: { backend, slots: 4 }, speed } as unknown as Parameters<
    typeof targets.refuse
  >[1]
  expect(targets.refuse(chat, fit)).toMatchObject({ check: 'targets', ...(code && { code }) })
  expect(targets.refuse(chat, fit)?.code).toBe(code)
})
