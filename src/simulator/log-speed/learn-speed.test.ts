/** Fleets whose speed is known answer on virtual time, and what they logged tells that speed. */
import { readFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { stepTimeOf } from '#batching/step-time.ts'
import { modelName } from '#core/ids.ts'
import type { Arrival } from '#simulator/arrival.ts'
import { type FleetEndpoint, parseFleetFile } from '#simulator/fleet-file.ts'
import { type LearntSpeed, type LoggedUse, learnSpeed } from '#simulator/log-speed/learn-speed.ts'
import type { Outcome } from '#simulator/outcome.ts'
import { policyOf } from '#simulator/policies.ts'
import { simulate } from '#simulator/simulation.ts'
import { stepSpeedOf } from '#simulator/step-speed-of.ts'
import { seededChance } from '#std/seeded-chance.ts'

// Seconds of computing, which take longer on a busy machine.
vi.setConfig({ testTimeout: 60_000 })

/** Chats as users have them: short prompts, some long ones, and answers of any length. */
function chats(perSecond: number, seconds: number, seed: number): Arrival[] {
  const chance = seededChance(seed)
  const arrivals: Arrival[] = []
  for (let atMs = 0; ; ) {
    atMs += (-Math.log(1 - chance()) * 1_000) / perSecond
    if (atMs >= seconds * 1_000) return arrivals
    arrivals.push({
      atMs,
      ...{ model: modelName('m'), client: 'c', service: 'interactive' },
      targets: { ttftMs: 2_000, tpotMs: 100 },
      promptTokens: 20 + Math.floor(3_000 * chance() ** 3),
      outputTokens: 2 + Math.floor(-Math.log(1 - chance()) * 150),
      ...{ prefixBlocks: [], prefixBlockTokens: 512 },
    })
  }
}

function answered(fleet: readonly FleetEndpoint[], policy: string, arrivals: Arrival[]): Outcome[] {
  const chance = seededChance(3)
  const { outcomes } = simulate({
    endpoints: fleet.map((one) => ({
      ...{ id: one.name, models: null, stepTime: one.stepTime, behaviour: one.behaviour },
      ...{ seats: one.seats, kvTokens: one.kvTokens, batchTokens: one.batchTokens },
      ...{ weight: 1, maxInFlight: null, told: stepSpeedOf(one), tellsLimits: true },
    })),
    arrivals,
    dispatcher: policyOf(policy)!.dispatcher({ chance, explain: false }),
    chance,
    untilMs: Number.MAX_SAFE_INTEGER,
  })
  return outcomes.filter(({ endMs }) => endMs !== null)
}

/** As a gateway logs it: in whole milliseconds. */
const used = ({ arrival, sentMs, firstTokenMs, endMs, tokens }: Outcome): LoggedUse => ({
  sentAtMs: Math.round(sentMs!),
  firstTokenAtMs: Math.round(firstTokenMs!),
  endedAtMs: Math.round(endMs!),
  ...{ promptTokens: arrival.promptTokens, cachedTokens: 0, outputTokens: tokens, counts: true },
})

const batching = {
  vllm: { batchTokens: 2_048, microBatchTokens: 2_048, mixes: true },
  sglang: { batchTokens: 2_048, microBatchTokens: 2_048, mixes: false },
  'llama-server': { batchTokens: 2_048, microBatchTokens: 512, mixes: true },
} as const

const learntOf = (one: FleetEndpoint, uses: readonly LoggedUse[], seats: number | null = null) =>
  learnSpeed(uses, seats, batching[one.behaviour.kind])

/** How long steps take by what was learnt, for each millisecond that they really take. */
function ratios(one: FleetEndpoint, { stepTime }: LearntSpeed, decodes: number) {
  const truth = stepTimeOf(one.stepTime)
  const linear = { kind: 'table', points: stepTime.linear } as const
  const nothing = { overheadMs: 0, headMs: 0, decodeMs: 0, prefillMs: 0 }
  const learnt = stepTimeOf({ ...nothing, ...stepTime, linear })
  const step = { decodes: 0, decodeContextTokens: 0, prefillTokens: 0, prefillTokenPairs: 0 }
  const writing = { ...step, decodes, decodeContextTokens: 700 * decodes }
  const reading = { ...step, prefillTokens: 500, prefillTokenPairs: 500 ** 2 / 2 }
  return { writing: learnt(writing) / truth(writing), reading: learnt(reading) / truth(reading) }
}

function expectWithin(part: number, value: number, name: string): void {
  expect(value, name).toBeLessThan(1 + part)
  expect(value, name).toBeGreaterThan(1 / (1 + part))
}

const fleetOf = (name: string) =>
  parseFleetFile(readFileSync(`fleets/${name}.yaml`, 'utf8'), `fleets/${name}.yaml`)

/** Fewer answers than these say little of a curve of a dozen points. */
const answersMin = 40

test.each([
  { name: 'lab', perSecond: 22, policy: 'fastest', seed: 1 },
  { name: 'lab', perSecond: 16, policy: 'least-connections', seed: 2 },
  { name: 'edge', perSecond: 10, policy: 'fastest', seed: 3 },
  { name: 'dc', perSecond: 60, policy: 'fastest', seed: 4 },
  { name: 'vend', perSecond: 45, policy: 'least-connections', seed: 5 },
])(
  'the speed of each endpoint of $name is found with $policy at $perSecond requests/s',
  ({ name, perSecond, policy, seed }) => {
    const fleet = fleetOf(name)
    const outcomes = answered(fleet, policy, chats(perSecond, 75, seed))
    let learnt = 0
    for (const [at, one] of fleet.entries()) {
      const uses = outcomes.filter(({ endpoint }) => endpoint === at).map(used)
      if (uses.length < answersMin) continue
      learnt++
      const speed = learntOf(one, uses)
      const usual = Math.round((speed.seldomFewerThan + speed.most) / 2)
      const { writing, reading } = ratios(one, speed, usual)
      expectWithin(0.2, writing, `${one.name} writing ${usual} answers (seed ${seed})`)
      expectWithin(0.2, reading, `${one.name} reading a prompt (seed ${seed})`)
    }
    expect(learnt).toBeGreaterThan(1)
  },
)

const oneOf = (entry: string) =>
  parseFleetFile(`endpoints: [{ name: one, ${entry} }]`, 'one')[0] as FleetEndpoint

test('an engine whose prompts stop its answers is found as fast as it is', () => {
  const one = oneOf('device: h100-sxm, engine: sglang')
  const uses = answered([one], 'round-robin', chats(15, 120, 6)).map(used)
  const { writing, reading } = ratios(one, learntOf(one, uses), 20)
  expectWithin(0.1, writing, 'writing')
  expectWithin(0.1, reading, 'reading')
})

test('answers that came in one piece tell the speed, too', () => {
  const one = oneOf('device: rtx-4090')
  const whole = answered([one], 'round-robin', chats(3, 300, 7)).map((outcome) => ({
    ...used(outcome),
    firstTokenAtMs: null,
  }))
  const { writing, reading } = ratios(one, learntOf(one, whole), 5)
  expectWithin(0.1, writing, 'writing')
  expectWithin(0.3, reading, 'reading')
})

test('where prompts wait for a seat, the number of seats is found, and elsewhere none', () => {
  const narrow = oneOf('device: rtx-3090, slots: 6')
  const wide = oneOf('device: rtx-3090, slots: 64')
  const arrivals = chats(2.5, 200, 8)
  const seatsOf = (one: FleetEndpoint) =>
    learntOf(one, answered([one], 'round-robin', arrivals).map(used)).seats
  expect(seatsOf(narrow)).toBe(6)
  expect(seatsOf(wide)).toBe(null)
})

test('tokens of a prompt that lay in the cache are no work', () => {
  const one = oneOf('device: rtx-4090')
  const uses = answered([one], 'round-robin', chats(1, 200, 9)).map(used)
  const cached = uses.map((use) => {
    const cachedTokens = 4_000
    return { ...use, promptTokens: use.promptTokens + cachedTokens, cachedTokens }
  })
  const speed = learntOf(one, cached)
  expectWithin(0.2, ratios(one, speed, 1).reading, 'reading')
})

test('failed requests hold an engine up, and are not taken for its speed', () => {
  const one = oneOf('device: rtx-4090')
  const outcomes = answered([one], 'round-robin', chats(4, 200, 10))
  const uses = outcomes.map((outcome, at) => {
    const counts = at % 4 !== 0
    // Of those that their client left, nobody counted the prompt.
    return { ...used(outcome), counts, ...(!counts && { promptTokens: 0 }) }
  })
  expectWithin(0.2, ratios(one, learntOf(one, uses), 5).writing, 'writing')
  const counted = uses.filter(({ counts }) => counts)
  expect(learntOf(one, counted).most).toBeLessThan(learntOf(one, uses).most)
})

test('a single answer tells two speeds', () => {
  const one: LoggedUse = {
    ...{ sentAtMs: 0, firstTokenAtMs: 200, endedAtMs: 600 },
    ...{ promptTokens: 128, cachedTokens: 0, outputTokens: 41, counts: true },
  }
  const { stepTime } = learnSpeed([one], null, batching.vllm)
  const at = (size: number) => stepTime.linear.find(([tokens]) => tokens === size)?.[1]
  expectWithin(0.02, (at(1) ?? 0) / 10, 'a token')
  expectWithin(0.02, (at(128) ?? 0) / 200, 'the prompt')
  expect(at(64)).toBeGreaterThan(60)
  expect(at(64)).toBeLessThan(140)
})

test('answers in no time are no division by zero', () => {
  const none = { sentAtMs: 5, firstTokenAtMs: 5, endedAtMs: 5 }
  const use = { promptTokens: 0, cachedTokens: 0, outputTokens: 0, counts: true }
  const { stepTime, errorRatio } = learnSpeed([{ ...none, ...use }], null, batching.vllm)
  expect(errorRatio).toBe(0)
  for (const [, ms] of stepTime.linear) expect(ms).toBeGreaterThan(0)
})
