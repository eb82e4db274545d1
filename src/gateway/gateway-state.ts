/** What all requests of one gateway share. */
import type { DeploymentConfig } from '#core/config/deployments.ts'
import type { MotleyConfig } from '#core/config/document.ts'
import { type EndpointId, type ModelName, modelName } from '#core/ids.ts'
import type { AccessLog } from '#gateway/access-log.ts'
import { AdmissionQueue } from '#gateway/admission-queue.ts'
import type { DecisionLog } from '#gateway/decision-log.ts'
import { DemandLog } from '#gateway/demand-log.ts'
import { DispatchDesk } from '#gateway/dispatch-desk.ts'
import type { Endpoint, Instant } from '#gateway/endpoint.ts'
import type { Exchange } from '#gateway/exchange.ts'
import { Fleet } from '#gateway/fleet.ts'
import { KeyRing } from '#gateway/key-ring.ts'
import type { GatewayMetrics } from '#gateway/metrics.ts'
import { PromptSizes } from '#gateway/prompt-sizes.ts'
import type { ReplicaAlarms } from '#gateway/replica-alarms.ts'
import type { RouteScript } from '#gateway/script/route-script.ts'
import { ScriptFailureLog, type ScriptTrouble } from '#gateway/script/script-failure-log.ts'
import type { Sleepers } from '#gateway/sleepers.ts'
import type { EndpointReport } from '#protocol/endpoint-report.ts'
import { ChurnSet } from '#std/churn.ts'
import { RetryBudget } from '#std/retry-budget.ts'

/** Why a configuration that was changed is not used. */
export interface ConfigProblems {
  /** Its file, as the operator names it. */
  readonly source: string
  readonly first: string
  /** How many are left unsaid. */
  readonly more: number
}

export interface ConfigTrouble extends ConfigProblems {
  /** Since when it is another than the one in use. */
  readonly sinceMs: number
}

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
  /** Who waits for something to be there at all; who waits for room, waits at the desk. */
  readonly queue = new AdmissionQueue()
  readonly desk: DispatchDesk
  readonly promptSizes = new PromptSizes()
  /** What deployments of the configuration promise, and how they rank, by the model that they serve. */
  deployed: ReadonlyMap<ModelName, Pick<DeploymentConfig, 'targets' | 'priority'>> = new Map()
  readonly startedMs: number
  /** Told about endpoints that should be checked at once. */
  readonly suspect: (endpoint: EndpointId) => void
  readonly replicaAlarms: () => readonly ReplicaAlarms[]
  /** Of requests, by which engines hold an answer to a form. */
  readonly formFields: readonly string[]
  readonly sleepers: Sleepers
  readonly demand = new DemandLog()
  /** The user's `routing.script`; null when there is none. */
  #script: RouteScript | null = null
  readonly #scriptFailures = new ScriptFailureLog()
  /** Of a configuration that was read again and is not used; null while the one in use is the newest. */
  #configTrouble: ConfigTrouble | null = null
  /** It is about to drain: who asks whether it is ready is told no, and requests are still taken. */
  stopping = false
  draining = false
  /** API requests that are not over. */
  readonly running = new ChurnSet<Exchange>()
  readonly #log: (line: string) => void
  readonly #instant: Instant

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
    readonly formFields: readonly string[]
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
    this.formFields = options.formFields
    this.sleepers = options.sleepers
    this.#log = options.log
    this.startedMs = options.nowMs()
    this.#instant = { ms: this.startedMs }
    this.fleet = new Fleet(this.#instant)
    this.desk = new DispatchDesk({
      strategy: options.config.routing.strategy,
      fleet: this.fleet,
      nowMs: () => this.tick(),
      chance: options.chance,
    })
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
    this.deployed = new Map(
      Object.values(config.deployments).map((deployment) => [
        modelName(deployment.model),
        deployment,
      ]),
    )
    this.fleet.configure(config)
    this.desk.configure(config.routing.strategy)
    this.queue.wake()
  }

  /** Moves the moment for which endpoints are looked at to now. */
  tick(): number {
    this.#instant.ms = this.nowMs()
    return this.#instant.ms
  }

  /** Requests that have no place yet. */
  get waiting(): number {
    return this.desk.waiting + this.queue.length
  }

  waitingFor(model: ModelName): number {
    return this.desk.waitingFor(model) + this.queue.lengthOf(model)
  }

  /** An endpoint was heard of, or heard nothing from. */
  report(report: EndpointReport): void {
    this.tick()
    const endpoint = this.fleet.apply(report)
    if (endpoint === null) return
    this.desk.heardOf(endpoint, report.load)
    this.queue.wake()
  }

  /** A request has left this endpoint. */
  leftFrom(endpoint: Endpoint): void {
    if (endpoint.health.draining) this.fleet.forgetLeft()
  }

  get script(): RouteScript | null {
    return this.#script
  }

  /** What the script that is asked now has failed at; null while nothing. */
  get scriptTrouble(): ScriptTrouble | null {
    return this.#scriptFailures.trouble
  }

  get configTrouble(): ConfigTrouble | null {
    return this.#configTrouble
  }

  /** Null once it is used as it is. */
  noteConfig(problems: ConfigProblems | null): void {
    const sinceMs = this.#configTrouble?.sinceMs ?? this.nowMs()
    this.#configTrouble = problems === null ? null : { ...problems, sinceMs }
  }

  useScript(script: RouteScript | null): void {
    this.#script = script
    this.#scriptFailures.begin()
  }

  /** Rules alone decide then: told to the operator, and in the record of the request. */
  scriptFailed(exchange: Exchange, model: ModelName, why: string): void {
    this.metrics.scriptFailures.inc()
    exchange.scriptFailures = [...exchange.scriptFailures, { model, why }]
    const line = this.#scriptFailures.note(why, this.nowMs())
    if (line !== null) this.#log(line)
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
