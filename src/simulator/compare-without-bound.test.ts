/** What becomes of a comparison when the solver finds no bound: a solver that never does. */
import { expect, test, vi } from 'vitest'
import { NoBoundError } from '#simulator/bound/fluid-bound.ts'
import { type CompareOptions, compare } from '#simulator/compare.ts'
import { parseFleetFile } from '#simulator/fleet-file.ts'
import { policyOf } from '#simulator/policies.ts'
import { makeTrace } from '#simulator/traces/trace.ts'

vi.mock('#std/linear-solver.ts', () => ({ loadLinearSolver: async () => () => null }))

const request = { promptTokens: 100, outputTokens: 20, model: null, client: null, prefixHashes: [] }

const options: Omit<CompareOptions, 'how'> = {
  fleet: parseFleetFile('endpoints: [{ name: a, device: l4 }]', 'one'),
  trace: makeTrace(
    'two',
    [0, 1_000].map((arrivalMs) => ({ ...request, arrivalMs })),
    512,
  ),
  policies: [policyOf('round-robin')!],
  loads: [1],
  targets: { ttftMs: 2_000, tpotMs: 100 },
  ...{ seed: 1, durationMs: 2_000, warmUpMs: 0 },
}

test('what was recorded is replayed all the same, and has no bound', async () => {
  const { boundPerSecond, rows } = await compare({ ...options, how: 'recorded' })
  expect(boundPerSecond).toBe(null)
  expect(rows).toMatchObject([{ ratePerSecond: 1, metrics: { requests: 2, attainment: 1 } }])
})

test('loads that are parts of the bound cannot be made then', async () => {
  await expect(compare({ ...options, how: 'superpose' })).rejects.toThrow(NoBoundError)
})
