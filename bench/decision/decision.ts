/**
 * What deciding costs: strategies on fleets of virtual time. A decision is what a request takes from
 * its arrival until the dispatcher has nothing more to say; feedback is all the rest, for each of its
 * tokens and its end, with the decisions that those bring.
 *
 *     npm run bench:decision [-- --seconds 20] [--strategies fastest,least-connections] [--explain] [--json]
 *
 * The first half of each run is not counted: it fills the endpoints, and lets the just-in-time
 * compiler see what a gateway that has run for a minute has seen. Collecting garbage is counted.
 * Times are of the wall, since the clock of the processor's time goes by milliseconds: on a machine
 * with other work, which takes it away for milliseconds, the mean of the quickest 99 % and the
 * median are nearer to the truth than the mean of all.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type EndpointId, modelName } from '#core/ids.ts'
import type { Dispatch, DispatchCounts, Dispatcher } from '#routing/dispatcher.ts'
import { type DispatcherName, dispatcherNames, newDispatcher } from '#routing/index.ts'
import { defaultTargets } from '#routing/service-class.ts'
import type { Arrival } from '#simulator/arrival.ts'
import { type FleetEndpoint, parseFleetFile } from '#simulator/fleet-file.ts'
import { sustained } from '#simulator/ideal-weight.ts'
import { simulate } from '#simulator/simulation.ts'
import { stepSpeedOf } from '#simulator/step-speed-of.ts'
import { seededChance } from '#std/seeded-chance.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    strategies: { type: 'string', default: 'fastest,least-connections' },
    explain: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const seconds = Number(values.seconds)
const strategies = values.strategies.split(',').map((name): DispatcherName => {
  const known = dispatcherNames.find((one) => one === name)
  if (known === undefined) throw new Error(`there is no strategy "${name}"`)
  return known
})

/** About the means of public chat traces. */
const mix = { promptTokens: 1_000, outputTokens: 200 }

/** Requests within targets, as a part of what the endpoints could do if each were always full. */
const cases = [
  // Light load brings few requests: more of it, for as many decisions as the others have.
  { title: '100 endpoints, light load', endpoints: 100, load: 0.2, seconds: seconds * 4 },
  { title: '100 endpoints, 85 % load', endpoints: 100, load: 0.85, seconds },
  { title: '100 endpoints, a full queue', endpoints: 100, load: 3, seconds },
  // A hundred times as many requests a second: a twentieth of the time shows the same.
  { title: '10,000 endpoints, light load', endpoints: 10_000, load: 0.05, seconds: seconds / 20 },
]

const lab = parseFleetFile(
  readFileSync(`${import.meta.dirname}/../../fleets/lab.yaml`, 'utf8'),
  'lab',
)

function fleetOf(count: number): FleetEndpoint[] {
  return Array.from({ length: count }, (_, at) => {
    const one = lab[at % lab.length] as FleetEndpoint
    return { ...one, name: `${one.name}-${at}` }
  })
}

function arrivalsOf(ratePerSecond: number, so: { readonly seconds: number }): Arrival[] {
  const chance = seededChance(11)
  const exponential = () => -Math.log(1 - chance())
  const arrivals: Arrival[] = []
  for (let atMs = 0; ; ) {
    atMs += (exponential() * 1_000) / ratePerSecond
    if (atMs > so.seconds * 1_000) return arrivals
    const promptTokens = 1 + Math.min(8_000, Math.round(exponential() * mix.promptTokens))
    const session = Math.floor(chance() * 1_000)
    arrivals.push({
      atMs,
      model: modelName('m'),
      client: `client-${session % 20}`,
      service: 'interactive',
      targets: defaultTargets.interactive,
      promptTokens,
      outputTokens: 1 + Math.round(exponential() * mix.outputTokens),
      prefixBlocks: Array.from(
        { length: Math.floor(promptTokens / 512) },
        (_, block) => session * 1_000 + block,
      ),
      prefixBlockTokens: 512,
    })
  }
}

/** Passes everything on, and keeps how long it took. */
class Timed implements Dispatcher {
  readonly name: string
  readonly decisionsMs: number[] = []
  feedbackMs = 0
  feedbackTokens = 0
  waitingMax = 0
  readonly #inner: Dispatcher
  readonly #fromMs: number
  #counting = false
  #deciding = false

  /** What happens before `fromMs` is not counted. */
  constructor(inner: Dispatcher, fromMs: number) {
    this.#inner = inner
    this.#fromMs = fromMs
    this.name = inner.name
  }

  get waiting(): number {
    return this.#inner.waiting
  }

  endpoints(...of: Parameters<Dispatcher['endpoints']>): void {
    this.#inner.endpoints(...of)
  }

  arrive(...of: Parameters<Dispatcher['arrive']>): void {
    this.#counting = of[1] >= this.#fromMs
    if (this.#counting) this.decisionsMs.push(0)
    this.#deciding = true
    this.#timed(() => this.#inner.arrive(...of))
    this.waitingMax = Math.max(this.waitingMax, this.#inner.waiting)
  }

  next(...of: Parameters<Dispatcher['next']>): Dispatch | null {
    return this.#timed(() => this.#inner.next(...of))
  }

  leave(...of: Parameters<Dispatcher['leave']>): void {
    this.#feedback(() => this.#inner.leave(...of))
  }

  firstToken(...of: Parameters<Dispatcher['firstToken']>): void {
    this.#feedback(() => this.#inner.firstToken(...of))
  }

  tokens(...of: Parameters<Dispatcher['tokens']>): void {
    if (this.#counting) this.feedbackTokens += of[1]
    this.#feedback(() => this.#inner.tokens(...of))
  }

  done(...of: Parameters<Dispatcher['done']>): void {
    this.#feedback(() => this.#inner.done(...of))
  }

  report(...of: Parameters<Dispatcher['report']>): void {
    this.#feedback(() => this.#inner.report(...of))
  }

  wakeAtMs(nowMs: number): number | null {
    return this.#inner.wakeAtMs(nowMs)
  }

  counts(endpoint: EndpointId): DispatchCounts | null {
    return this.#inner.counts(endpoint)
  }

  #feedback(work: () => void): void {
    this.#deciding = false
    this.#timed(work)
  }

  #timed<Result>(work: () => Result): Result {
    const startedMs = performance.now()
    const result = work()
    const tookMs = performance.now() - startedMs
    if (!this.#counting) return result
    if (this.#deciding) this.decisionsMs[this.decisionsMs.length - 1]! += tookMs
    else this.feedbackMs += tookMs
    return result
  }
}

function microseconds(ms: number): number {
  return Number((ms * 1_000).toFixed(1))
}

const rows = []
for (const one of cases) {
  const fleet = fleetOf(one.endpoints)
  const { tpotMs } = defaultTargets.interactive
  const capacity = fleet.map((each) => sustained(each, mix, tpotMs ?? 100).requestsPerSecond)
  const ratePerSecond = one.load * capacity.reduce((sum, each) => sum + each, 0)
  for (const strategy of strategies) {
    const chance = seededChance(5)
    const dispatcher = new Timed(
      newDispatcher(strategy, { chance, explain: values.explain }),
      one.seconds * 1_000,
    )
    simulate({
      endpoints: fleet.map((each, at) => ({
        id: each.name,
        models: null,
        stepTime: each.stepTime,
        behaviour: each.behaviour,
        seats: each.seats,
        kvTokens: each.kvTokens,
        batchTokens: each.batchTokens,
        weight: Math.max(1e-3, capacity[at] as number),
        maxInFlight: null,
        told: stepSpeedOf(each),
        tellsLimits: true,
      })),
      arrivals: arrivalsOf(ratePerSecond, { seconds: 2 * one.seconds }),
      dispatcher,
      chance,
      untilMs: 2 * one.seconds * 1_000,
    })
    const sorted = dispatcher.decisionsMs.toSorted((left, right) => left - right)
    const meanMs = (of: readonly number[]) => of.reduce((sum, ms) => sum + ms, 0) / of.length
    rows.push({
      case: one.title,
      strategy,
      decisions: sorted.length,
      'waiting at most': dispatcher.waitingMax,
      'decision, µs (mean)': microseconds(meanMs(sorted)),
      '(of the quickest 99 %)': microseconds(
        meanMs(sorted.slice(0, Math.ceil(sorted.length * 0.99))),
      ),
      '(median)': microseconds(sorted[Math.floor(sorted.length / 2)] ?? 0),
      '(p99)': microseconds(sorted[Math.floor(sorted.length * 0.99)] ?? 0),
      'feedback, µs a token': microseconds(
        dispatcher.feedbackMs / Math.max(1, dispatcher.feedbackTokens),
      ),
    })
  }
}
if (values.json) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`)
else {
  console.table(rows)
  process.stdout.write('The first half of each run warmed up and is not counted.\n')
}
