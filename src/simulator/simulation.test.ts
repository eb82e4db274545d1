import fc from 'fast-check'
import { expect, test } from 'vitest'
import { endpointId, modelName } from '#core/ids.ts'
import type { ServiceClass } from '#core/service-class.ts'
import { dispatcherNames, newDispatcher } from '#routing/index.ts'
import { defaultTargets } from '#routing/service-class.ts'
import type { Fault } from '#simulator/fault.ts'
import { type Arrival, type SimulatedEndpoint, simulate } from '#simulator/simulation.ts'
import { seededChance } from '#std/seeded-chance.ts'

const models = [modelName('one'), modelName('two')]

const endpoint = fc.record({
  slowness: fc.double({ min: 0.2, max: 20, noNaN: true }),
  seats: fc.integer({ min: 1, max: 16 }),
  kvTokens: fc.integer({ min: 4_000, max: 40_000 }),
  batchTokens: fc.constantFrom(64, 512, 2048),
  told: fc.constantFrom('truth', 'lie', 'nothing'),
  maxInFlight: fc.option(fc.integer({ min: 1, max: 8 })),
  servesTwo: fc.boolean(),
})

const arrival = fc.record({
  gapMs: fc.integer({ min: 0, max: 400 }),
  two: fc.boolean(),
  client: fc.constantFrom('a', 'b', 'c'),
  service: fc.constantFrom<ServiceClass>('interactive', 'standard', 'batch'),
  promptTokens: fc.integer({ min: 1, max: 3_000 }),
  outputTokens: fc.integer({ min: 1, max: 120 }),
  session: fc.integer({ min: 0, max: 4 }),
})

const fault = fc.record({
  kind: fc.constantFrom<Fault['kind']>('slow', 'lost'),
  endpoint: fc.nat(),
  atMs: fc.integer({ min: 0, max: 8_000 }),
  lastsMs: fc.integer({ min: 1, max: 6_000 }),
})

const world = fc.record({
  endpoints: fc.array(endpoint, { minLength: 1, maxLength: 5 }),
  arrivals: fc.array(arrival, { maxLength: 80 }),
  faults: fc.array(fault, { maxLength: 3 }),
  bypassRatio: fc.constantFrom(0, 0.2),
  reportEveryMs: fc.constantFrom(0, 50, 1_000),
  seed: fc.nat(),
})

type World = typeof world extends fc.Arbitrary<infer Of> ? Of : never

function fleetOf({ endpoints }: World): SimulatedEndpoint[] {
  return endpoints.map((one, index) => {
    const linear = [1, 2048].map((tokens) => [tokens, one.slowness * (5 + tokens / 20)] as const)
    return {
      id: `e${index}`,
      // The first one serves everything, so that no model is without an endpoint from the start.
      models: index === 0 || one.servesTwo ? null : models.slice(0, 1),
      stepTime: {
        overheadMs: 1,
        headMs: 0,
        linear: { kind: 'table', points: linear },
        decodeMs: 0,
        decodeMsPerContextToken: 1e-4,
        prefillMs: 0,
        prefillMsPerTokenPair: 1e-6,
      },
      behaviour: { kind: 'vllm' },
      seats: one.seats,
      kvTokens: one.kvTokens,
      batchTokens: one.batchTokens,
      weight: 1 / one.slowness,
      maxInFlight: one.maxInFlight,
      tellsLimits: one.told !== 'nothing',
      told:
        one.told === 'nothing'
          ? null
          : {
              fixedMs: 1,
              linearMs: linear.map(([tokens, ms]) => [tokens, one.told === 'lie' ? ms * 3 : ms]),
              decodeMsPerContextToken: 1e-4,
              prefillMsPerTokenPair: 1e-6,
            },
    }
  })
}

function arrivalsOf({ arrivals }: World): Arrival[] {
  let atMs = 0
  return arrivals.map((one): Arrival => {
    atMs += one.gapMs
    const blocks = Math.floor(one.promptTokens / 512)
    return {
      atMs,
      model: models[one.two ? 1 : 0] as Arrival['model'],
      client: one.client,
      service: one.service,
      targets: defaultTargets[one.service],
      promptTokens: one.promptTokens,
      outputTokens: one.outputTokens,
      prefixBlocks: Array.from({ length: blocks }, (_, block) => one.session * 100 + block),
      prefixBlockTokens: 512,
    }
  })
}

function runOf(policy: (typeof dispatcherNames)[number], so: World) {
  const endpoints = fleetOf(so)
  const chance = seededChance(so.seed)
  const dispatcher = newDispatcher(policy, { chance, explain: so.seed % 2 === 0 })
  const result = simulate({
    endpoints,
    arrivals: arrivalsOf(so),
    dispatcher,
    chance,
    faults: so.faults.map((one): Fault => {
      const untilMs = one.atMs + one.lastsMs
      const place = one.endpoint % endpoints.length
      return one.kind === 'slow'
        ? { kind: 'slow', endpoint: place, factor: 5, atMs: one.atMs, untilMs }
        : { kind: 'lost', endpoint: place, atMs: one.atMs, untilMs }
    }),
    bypassRatio: so.bypassRatio,
    reportEveryMs: so.reportEveryMs,
    reportDelayMs: 50,
    untilMs: 3_600_000,
  })
  return { dispatcher, result, endpoints }
}

// What is sent twice, or sent without having arrived, makes `simulate` throw.
test.each(dispatcherNames)('%s loses nothing and counts back to zero', (policy) => {
  fc.assert(
    fc.property(world, (so) => {
      const { dispatcher, result, endpoints } = runOf(policy, so)
      expect(result.outcomes).toHaveLength(so.arrivals.length)
      for (const { endMs, rejected, bypassed, tokens, arrival } of result.outcomes) {
        if (bypassed) continue
        expect(rejected ? endMs === null : endMs !== null).toBe(true)
        if (!rejected) expect(tokens).toBe(arrival.outputTokens)
      }
      expect(dispatcher.waiting).toBe(0)
      for (const { id } of endpoints) {
        expect(dispatcher.counts(endpointId(id))).toMatchObject({
          inFlight: 0,
          prefillTokens: 0,
          contextTokens: 0,
        })
      }
    }),
    { numRuns: policy === 'fastest' ? 60 : 15 },
  )
})

test('fastest lets nobody wait beyond the cap of its class while an endpoint is up', () => {
  fc.assert(
    fc.property(world, (so) => {
      const { result } = runOf('fastest', { ...so, faults: [] })
      for (const { arrival, sentMs, bypassed } of result.outcomes) {
        const { ttftMs } = arrival.targets
        if (bypassed || ttftMs === null || sentMs === null) continue
        // Those that waited too long are looked for twice a second.
        expect(sentMs - arrival.atMs).toBeLessThan(30 * ttftMs + 1_000)
      }
    }),
    { numRuns: 30 },
  )
})

test('the same seed gives the same run', () => {
  fc.assert(
    fc.property(world, (so) => {
      expect(runOf('fastest', so).result).toEqual(runOf('fastest', so).result)
    }),
    { numRuns: 30 },
  )
})
