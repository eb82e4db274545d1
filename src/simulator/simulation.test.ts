import fc from 'fast-check'
import { expect, test } from 'vitest'
import { endpointId, modelName } from '#core/ids.ts'
import type { ServiceClass } from '#core/service-class.ts'
import { defaultTuning } from '#routing/fastest/tuning.ts'
import { dispatcherNames, newDispatcher } from '#routing/index.ts'
import { defaultTargets } from '#routing/service-class.ts'
import type { Arrival } from '#simulator/arrival.ts'
import type { Fault } from '#simulator/fault.ts'
import type { SimulatedEndpoint } from '#simulator/simulated-endpoint.ts'
import { simulate } from '#simulator/simulation.ts'
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

function fleetOf(endpoints: World['endpoints']): SimulatedEndpoint[] {
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
  const endpoints = fleetOf(so.endpoints)
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

/** A crowd that comes at once to a fleet that could not serve half of it in time. */
const crowd = fc.record({
  endpoints: fc.integer({ min: 1, max: 2 }),
  seats: fc.integer({ min: 1, max: 4 }),
  ttftMs: fc.integer({ min: 200, max: 2_000 }),
  arrivals: fc.array(
    fc.record({
      gapMs: fc.integer({ min: 0, max: 200 }),
      promptTokens: fc.integer({ min: 1, max: 4_000 }),
      outputTokens: fc.integer({ min: 50, max: 400 }),
      service: fc.constantFrom('interactive' as const, 'standard' as const),
      client: fc.constantFrom('a', 'b'),
    }),
    { minLength: 50, maxLength: 150 },
  ),
})

test('fastest sends or refuses everybody within the cap, whatever comes', () => {
  let refused = 0
  fc.assert(
    fc.property(crowd, (so) => {
      const dispatcher = newDispatcher('fastest', { chance: seededChance(1), explain: false })
      const next = dispatcher.next.bind(dispatcher)
      const waitedMs: number[] = []
      dispatcher.next = (nowMs) => {
        const dispatch = next(nowMs)
        if (dispatch !== null) waitedMs.push(nowMs - dispatch.request.arrivedAtMs)
        if (dispatch?.kind === 'reject') refused++
        return dispatch
      }
      let atMs = 0
      const arrivals = so.arrivals.map(({ gapMs, ...one }): Arrival => {
        atMs += gapMs
        const targets = { ttftMs: so.ttftMs, tpotMs: 100 }
        const prefix = { prefixBlocks: [], prefixBlockTokens: 16 }
        return { ...one, ...prefix, atMs, targets, model: modelName('m') }
      })
      const one = { slowness: 2, kvTokens: 40_000, batchTokens: 512 as const, maxInFlight: null }
      const endpoints = fleetOf(
        Array.from({ length: so.endpoints }, () => {
          return { ...one, seats: so.seats, told: 'truth', servesTwo: true }
        }),
      )
      simulate({ endpoints, arrivals, dispatcher, chance: seededChance(1), untilMs: 36_000_000 })
      expect(waitedMs).toHaveLength(arrivals.length)
      // Those that waited too long are looked for twice a second.
      const capMs = defaultTuning.lateCapRatio * so.ttftMs + 1_000
      expect(Math.max(...waitedMs)).toBeLessThan(capMs)
    }),
    { numRuns: 40 },
  )
  // Or nothing was tested.
  expect(refused).toBeGreaterThan(100)
})

test('the same seed gives the same run', () => {
  fc.assert(
    fc.property(world, (so) => {
      expect(runOf('fastest', so).result).toEqual(runOf('fastest', so).result)
    }),
    { numRuns: 30 },
  )
})
