/** What all requests of one gateway share. */
import type { MotleyConfig } from '#core/config/document.ts'
import type { EndpointId } from '#core/ids.ts'
import type { AccessLog } from '#gateway/access-log.ts'
import { AdmissionQueue } from '#gateway/admission-queue.ts'
import type { DecisionLog } from '#gateway/decision-log.ts'
import { DemandLog } from '#gateway/demand-log.ts'
import type { Endpoint, Instant } from '#gateway/endpoint.ts'
import type { Exchange } from '#gateway/exchange.ts'
import { Fleet } from '#gateway/fleet.ts'
import { KeyRing } from '#gateway/key-ring.ts'
import type { GatewayMetrics } from '#gateway/metrics.ts'
import type { ReplicaAlarms } from '#gateway/replica-alarms.ts'
import type { RouteScript } from '#gateway/script/route-script.ts'
import type { Sleepers } from '#gateway/sleepers.ts'
import { RetryBudget } from '#std/retry-budget.ts'

/** A script that fails, fails mostly for every request. */
const scriptQuietMs = 10_000

export class GatewayState {
  config: MotleyConfig
  budget: RetryBudget
  readonly version: string
  readonly nowMs: () => number
  readonly chance: () => number
  readonly metrics: GatewayMetrics
  readonly accessLog: AccessLog
  readonly decisions: DecisionLog
  readonly fleet: Fleet
  readonly keys = new KeyRing()
  readonly queue = new AdmissionQueue()
  readonly startedMs: number
  /** Told about endpoints that should be checked at once. */
  readonly suspect: (endpoint: EndpointId) => void
  readonly replicaAlarms: () => readonly ReplicaAlarms[]
  readonly sleepers: Sleepers
  readonly demand = new DemandLog()
  /** The user's `routing.script`; null when there is none. */
  script: RouteScript | null = null
  draining = false
  /** API requests that are not over. */
  readonly running = new Set<Exchange>()
  readonly #log: (line: string) => void
  readonly #instant: Instant
  #scriptFailures = 0
  #scriptQuietUntilMs = Number.NEGATIVE_INFINITY

  constructor(options: {
    readonly config: MotleyConfig
    readonly version: string
    readonly nowMs: () => number
    readonly chance: () => number
    readonly metrics: GatewayMetrics
    readonly accessLog: AccessLog
    readonly decisions: DecisionLog
    readonly suspect: (endpoint: EndpointId) => void
    readonly replicaAlarms: () => readonly ReplicaAlarms[]
    readonly sleepers: Sleepers
    readonly log: (line: string) => void
  }) {
    this.config = options.config
    this.version = options.version
    this.nowMs = options.nowMs
    this.chance = options.chance
    this.metrics = options.metrics
    this.accessLog = options.accessLog
    this.decisions = options.decisions
    this.suspect = options.suspect
    this.replicaAlarms = options.replicaAlarms
    this.sleepers = options.sleepers
    this.#log = options.log
    this.startedMs = options.nowMs()
    this.#instant = { ms: this.startedMs }
    this.fleet = new Fleet(this.#instant)
    this.budget = this.#newBudget()
    this.configure(options.config)
  }

  /** Everything at once; requests under way keep what they have read. */
  configure(config: MotleyConfig): void {
    this.tick()
    const before = this.config
    this.config = config
    this.keys.configure(config.gateway.keys, this.nowMs())
    const { budgetRatio, minPerSecond } = before.gateway.retries
    const { retries } = config.gateway
    if (budgetRatio !== retries.budgetRatio || minPerSecond !== retries.minPerSecond) {
      this.budget = this.#newBudget()
    }
    this.fleet.configure(config)
    this.queue.wake()
  }

  /** Moves the moment for which endpoints are looked at to now. */
  tick(): number {
    this.#instant.ms = this.nowMs()
    return this.#instant.ms
  }

  /** A request left this endpoint: somebody who waits may have its place. */
  roomAt(endpoint: Endpoint): void {
    this.tick()
    if (this.queue.length > 0) this.queue.wake()
    if (endpoint.health.draining) this.fleet.forgetLeft()
  }

  /** Rules alone decide then. Told to the operator, but not for every request of a busy minute. */
  scriptFailed(why: string): void {
    this.metrics.scriptFailures.inc()
    this.#scriptFailures++
    const nowMs = this.nowMs()
    if (nowMs < this.#scriptQuietUntilMs) return
    this.#scriptQuietUntilMs = nowMs + scriptQuietMs
    const times =
      this.#scriptFailures === 1 ? '' : ` (${this.#scriptFailures} times since it was said last)`
    this.#scriptFailures = 0
    this.#log(`routing.script failed, and rules alone decided: ${why}${times}`)
  }

  /** A mistake of ours: told to the operator with where it happened, never with what was asked. */
  reportBug(where: string, cause: unknown): void {
    const stack = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
    this.#log(`bug in ${where.slice(0, 200)}: ${stack}`)
  }

  /** Ends every running request with an error that says why. */
  endAll(): void {
    for (const exchange of [...this.running]) exchange.underWay?.shutDown()
  }

  #newBudget(): RetryBudget {
    const { budgetRatio, minPerSecond } = this.config.gateway.retries
    return new RetryBudget(budgetRatio, minPerSecond, this.nowMs())
  }
}
