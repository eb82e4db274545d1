import { expect, test } from 'vitest'
import { compare } from '#simulator/compare.ts'
import { parseFleetFile } from '#simulator/fleet-file.ts'
import { policyNames, policyOf } from '#simulator/policies.ts'
import { run } from '#simulator/run.ts'
import { makeTrace, requestsPerSecond } from '#simulator/traces/trace.ts'
import { seededChance } from '#std/seeded-chance.ts'

const fleet = parseFleetFile(
  `endpoints:
  - { name: fast, device: rtx-pro-6000 }
  - { name: slow, device: epyc-9334 }
`,
  'two',
)

function chat(seed: number) {
  const chance = seededChance(seed)
  const requests = Array.from({ length: 400 }, (_, index) => ({
    arrivalMs: index * 200,
    promptTokens: 50 + Math.floor(2_000 * chance() ** 2),
    outputTokens: 20 + Math.floor(300 * chance()),
    model: null,
    client: null,
    prefixHashes: [],
  }))
  return makeTrace('chat', requests, 512)
}

const policies = ['fastest', 'least-busy', 'least-connections-queue:0.8'].map((name) => {
  const policy = policyOf(name)
  if (policy === null) throw new Error(name)
  return policy
})

test('policies meet the same requests, and none of them exceeds the bound', async () => {
  const { boundPerSecond, rows } = await compare({
    fleet,
    trace: chat(1),
    policies,
    loads: [0.5, 0.9],
    targets: { ttftMs: 2_000, tpotMs: 100 },
    seed: 1,
    how: 'superpose',
    durationMs: 60_000,
    warmUpMs: 10_000,
  })
  expect(rows.map(({ load, policy }) => `${policy} ${load}`)).toEqual([
    'fastest 0.5',
    'least-busy 0.5',
    'least-connections-queue:0.8 0.5',
    'fastest 0.9',
    'least-busy 0.9',
    'least-connections-queue:0.8 0.9',
  ])
  for (const { metrics, ratePerSecond } of rows) {
    expect(metrics.requests).toBe(
      rows.find((row) => row.ratePerSecond === ratePerSecond)?.metrics.requests,
    )
    expect(metrics.goodput).toBeLessThan(1.05 * (boundPerSecond ?? 0))
  }
  const kept = (at: number) => rows[at]?.metrics.attainment ?? 0
  expect(kept(0)).toBeGreaterThanOrEqual(Math.max(kept(1), kept(2)))
  expect(kept(3)).toBeGreaterThanOrEqual(Math.max(kept(4), kept(5)))
})

test('policies have one name each, and take a limit behind it', () => {
  expect(new Set(policyNames).size).toBe(policyNames.length)
  for (const name of policyNames) expect(policyOf(name)?.name).toBe(name)
  expect(policyOf('least-connections-queue:0.7')?.limitRatio).toBe(0.7)
  expect(policyOf('least-connections-queue:x')).toBeNull()
  expect(policyOf('slowest')).toBeNull()
})

test('the models of a trace are told apart, and what one endpoint can take is reckoned by its own', async () => {
  const models = parseFleetFile(
    `endpoints:
  - { name: short, device: rtx-4090, models: [short] }
  - { name: long, device: epyc-9334, models: [long] }
`,
    'models',
  )
  const asked = (model: string, perSecond: number, promptTokens: number, outputTokens: number) =>
    Array.from({ length: 60 * perSecond }, (_, index) => ({
      ...{ arrivalMs: (index * 1_000) / perSecond, promptTokens, outputTokens, model },
      ...{ client: null, prefixHashes: [] },
    }))
  const short = asked('short', 30, 100, 40)
  const both = [...short, ...asked('long', 10, 7_000, 500)]
  const attainments = [short, both].map((requests) => {
    const trace = makeTrace('models', requests, 512)
    return run({
      ...{ fleet: models, trace, seed: 1, how: 'recorded', warmUpMs: 0 },
      policy: policyOf('least-connections-queue:0.8')!,
      targets: { ttftMs: 2_000, tpotMs: 100 },
      ratePerSecond: requestsPerSecond(trace),
    }).attainmentByModel
  })
  expect(attainments[0]).toEqual({ short: 1 })
  // The second model is far too much for its endpoint, and is nothing to the first one.
  expect(attainments[1]).toEqual({ short: 1, long: 0 })
})
