/**
 * One endpoint as the gateway keeps it: what routing sees, what operators see, and the connections
 * to it. Every request that was sent there begins with {@link Endpoint.begin} and ends exactly once
 * through what that returns, whatever happens in between, so that the count of requests in flight
 * comes back to zero and never goes below.
 */
import { isDeepStrictEqual } from 'node:util'
import { type buildConnector, Pool } from 'undici'
import { type EndpointConfig, endpointName } from '#core/config/endpoints.ts'
import type { Continuation } from '#core/continuation.ts'
import type { EndpointLoad, EndpointState, EndpointView, ServedModel } from '#core/endpoint.ts'
import {
  afterCheck,
  afterRequest,
  breakerAt,
  type EndpointHealth,
  type Evidence,
  newHealth,
  slowStartRatio,
  stateOf,
} from '#core/endpoint-health.ts'
import { type EndpointId, endpointId, type ModelName, modelName } from '#core/ids.ts'
import type { Task } from '#core/task.ts'
import type { Credentials } from '#gateway/attempt-failure.ts'
import { EndpointStats } from '#gateway/endpoint-stats.ts'
import type { EndpointReport } from '#protocol/endpoint-report.ts'
import { basicAuthorization } from '#std/basic-authorization.ts'
import { ewma } from '#std/ewma.ts'
import { peerConnector } from '#std/peer-connector.ts'

/** The moment for which endpoints are looked at; all of a fleet share one. */
export interface Instant {
  ms: number
}

/** One new TTFT moves the average by a fifth: about ten requests are remembered. */
const ttftWeight = 0.2

/** uvicorn, and so vLLM and SGLang, closes idle connections after 5 s; ours go first. */
const keepAliveMs = 4_000

const notAsked: Continuation = { kind: 'none', why: 'What it is was not asked yet.' }

export class Endpoint implements EndpointView {
  readonly id: EndpointId
  readonly stats: EndpointStats
  readonly coolingUntilMs = new Map<ModelName, number>()
  config: EndpointConfig
  health: EndpointHealth
  inFlight = 0
  probeInFlight = false
  ttftMs: number | null = null
  turn = 0
  /** When the last byte of any answer came from there. */
  progressAtMs = 0
  engine: string | null
  engineVersion: string | null = null
  supportsStreamUsage = false
  continuation: Continuation = notAsked
  /** What its engine has routes for; null while that is not known. */
  tasks: ReadonlySet<Task> | null = null
  load: EndpointLoad | null = null
  lastCheck: EndpointReport['check'] | null = null
  /** When the state that people see changed last. */
  stateSinceMs: number
  /** Null until the configuration or the endpoint itself has said what it serves. */
  models: ReadonlyMap<ModelName, ServedModel> | null

  /** What it last said of its models: a configuration that is read again does not tell it. */
  #reported: NonNullable<EndpointReport['models']> = []
  readonly #instant: Instant
  #slowStartMs: number
  #pool: Pool
  #pathPrefix: string
  #authorization: string | null
  #lastState: EndpointState
  /** It was held before, and nothing but a check says that it is there now. */
  #isNew: boolean

  constructor(config: EndpointConfig, instant: Instant, slowStartMs: number) {
    this.id = endpointId(endpointName(config))
    this.config = config
    this.engine = config.engine ?? null
    this.#isNew = config.held !== undefined
    this.#instant = instant
    this.#slowStartMs = slowStartMs
    this.health = newHealth(instant.ms)
    this.stats = new EndpointStats()
    this.models = configuredModels(config)
    this.#pool = newPool(config)
    this.#pathPrefix = pathPrefix(config)
    this.#authorization = authorization(config)
    this.#lastState = this.state
    this.stateSinceMs = instant.ms
  }

  get weight(): number {
    return this.config.weight
  }

  get maxInFlight(): number | null {
    return this.config.maxInFlight ?? null
  }

  get labels(): Readonly<Record<string, string>> {
    return this.config.labels
  }

  /** Whether its first check will say what it serves, or whether it is there at all. */
  get isUnchecked(): boolean {
    const isUnknown = this.models === null || this.#isNew
    return isUnknown && this.health.presence === null && this.config.held === undefined
  }

  get state(): EndpointState {
    if (this.config.held !== undefined) return this.config.held.state
    // Nobody knows yet what it serves, or that it does: it cannot be sent anything.
    if (this.isUnchecked) return 'loading'
    return stateOf(this.health, {
      nowMs: this.#instant.ms,
      inFlight: this.inFlight,
      maxInFlight: this.maxInFlight,
    })
  }

  get slowStartRatio(): number {
    return slowStartRatio(this.health, this.#instant.ms, this.#slowStartMs)
  }

  /** Whether it has the model, and might take this task for it. */
  serves(model: ModelName, task: Task): boolean {
    const served = this.models?.get(model)
    if (served === undefined) return false
    const tasks = served.tasks ?? this.tasks
    return tasks === null || tasks.has(task)
  }

  /** Why it is not ready, in a few words; null when there is nothing to say. */
  get reason(): string | null {
    if (this.config.held !== undefined) return this.config.held.reason
    const state = this.state
    if (state === 'ready') return null
    if (this.isUnchecked) return 'not asked yet'
    if (state === 'draining') return 'removed from the configuration'
    if (state === 'busy' && this.health.reason === null) return 'at its limit of requests'
    return this.health.reason
  }

  /** What the endpoint knows this gateway by; null when it does not ask. */
  get authorization(): string | null {
    return this.#authorization
  }

  get credentials(): Credentials {
    if (this.config.apiKey !== undefined) return 'api-key'
    return this.#authorization === null ? 'none' : 'url'
  }

  /** Engines quote the key that they refuse; what leaves here does not. */
  withoutItsKey(body: Buffer): Buffer {
    const { apiKey } = this.config
    if (apiKey === undefined || !body.includes(apiKey)) return body
    return Buffer.from(body.toString('utf8').replaceAll(apiKey, '***'))
  }

  get pool(): Pool {
    return this.#pool
  }

  /** Where a path of ours is there; a `/v1` at the end of its URL is the API's, not ours. */
  path(path: string): string {
    return this.#pathPrefix + path
  }

  /** Takes what the new configuration says; connections stay unless the URL changed. */
  reconfigure(config: EndpointConfig, slowStartMs: number): void {
    const before = this.config
    this.config = config
    this.#slowStartMs = slowStartMs
    this.#authorization = authorization(config)
    // What was refused is not what is shown from now on.
    if (this.health.refusesKey && before.apiKey !== config.apiKey) {
      this.health = newHealth(this.#instant.ms)
    }
    this.health = { ...this.health, draining: false }
    if (config.engine !== undefined) this.engine = config.engine
    if (before.url !== config.url) this.#reported = []
    const models = configuredModels(config, this.#reported)
    // What is not written down any more is served until a check says otherwise.
    if (models !== null) this.models = models
    if (before.url !== config.url || before.peer?.fingerprint !== config.peer?.fingerprint) {
      void this.#pool.close()
      this.#pool = newPool(config)
      this.#pathPrefix = pathPrefix(config)
      this.health = newHealth(this.#instant.ms)
      if (models === null) this.models = null
      // What was known is of the engine that was there.
      this.engine = config.engine ?? null
      this.engineVersion = null
      this.supportsStreamUsage = false
      this.continuation = notAsked
      this.tasks = null
      this.load = null
    }
    if (before.held !== undefined && config.held === undefined) {
      this.#isNew = true
      this.health = newHealth(this.#instant.ms)
    }
    this.noteState()
  }

  apply(report: EndpointReport): void {
    this.lastCheck = report.check
    if (report.engine !== null) this.engine = report.engine
    if (report.engineVersion !== null) this.engineVersion = report.engineVersion
    if (report.load !== null) this.load = report.load
    this.supportsStreamUsage = report.supportsStreamUsage
    this.continuation = report.continuation
    // What stays the same stays the same object: that tells who keeps lists of it.
    const tasks = report.tasks === null ? null : new Set(report.tasks)
    if (!isDeepStrictEqual(tasks, this.tasks)) this.tasks = tasks
    if (report.models !== null) {
      this.#reported = report.models
      const models = configuredModels(this.config, report.models) ?? reportedModels(report.models)
      if (!isDeepStrictEqual(models, this.models)) this.models = models
    }
    if (report.check.verdict !== 'ready' && report.check.verdict !== 'loading') {
      this.stats.failedChecks++
    }
    // Who wants no checks is asked for what is not written down alone: that is no check.
    const isCheck = this.config.health.enabled || this.models === null
    if (isCheck || report.check.verdict === 'ready') {
      this.health = afterCheck(this.health, report.check, {
        nowMs: this.#instant.ms,
        inFlight: this.inFlight,
        progressAtMs: this.progressAtMs,
      })
    }
    this.noteState()
  }

  drain(): void {
    this.health = { ...this.health, draining: true }
    this.noteState()
  }

  /** A 429 that named a time: this model rests here until then. */
  cool(model: ModelName, untilMs: number): void {
    this.coolingUntilMs.set(model, Math.max(untilMs, this.coolingUntilMs.get(model) ?? 0))
  }

  /**
   * Counts a request in. The function it returns counts it out, once; later calls do nothing.
   * `evidence` is what the end says about the endpoint, null when it says nothing: a client that
   * went away is not the endpoint's fault, nor is a request that was wrong.
   */
  begin(): (evidence: Evidence | null) => void {
    const probing = breakerAt(this.health, this.#instant.ms).kind === 'half-open'
    if (probing) this.probeInFlight = true
    this.inFlight++
    this.stats.begin(this.inFlight)
    let over = false
    return (evidence) => {
      if (over) return
      over = true
      this.inFlight--
      if (probing) this.probeInFlight = false
      if (evidence !== null) {
        this.health = afterRequest(this.health, evidence, this.#instant.ms)
        this.noteState()
      }
    }
  }

  noteTtft(ttftMs: number): void {
    this.ttftMs = ewma(this.ttftMs, ttftMs, ttftWeight)
  }

  /** Keeps the time of the last change of state, and counts how often and how long it is down. */
  noteState(): void {
    const state = this.state
    if (state === this.#lastState) return
    this.stats.noteStateChange(this.#lastState, state, this.#instant.ms - this.stateSinceMs)
    this.#lastState = state
    this.stateSinceMs = this.#instant.ms
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }
}

function newPool(config: EndpointConfig): Pool {
  return new Pool(new URL(config.url).origin, {
    connections: null,
    pipelining: 1,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: 600_000,
    // Every phase has its own deadline in the relay, which also knows the model.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: answerHeaderBytesMax,
    connect: notingConnector(config),
  })
}

/** Engines send a few hundred bytes; twice what is taken from clients. */
const answerHeaderBytesMax = 64 * 1024

/** The relay's own deadline comes first; this one only frees what it left behind. */
const connectGiveUpMs = 120_000

/** Errors of connections that had carried an answer before they broke. */
const errorsAfterAnswers = new WeakSet<Error>()

/** Whether the connection that broke with this error was a kept one. */
export function carriedAnAnswer(error: Error): boolean {
  const { socket } = error as { socket?: { bytesRead?: number } }
  return errorsAfterAnswers.has(error) || (socket?.bytesRead ?? 0) > 0
}

/** undici tells of a broken connection with the system's error, which does not say whose it was. */
function notingConnector({ peer }: EndpointConfig): buildConnector.connector {
  const connect = peerConnector(peer, connectGiveUpMs)
  return (options, callback) =>
    connect(options, (error, socket) => {
      if (error !== null) {
        callback(error, null)
        return
      }
      socket.on('error', (broken: Error) => {
        if (socket.bytesRead > 0) errorsAfterAnswers.add(broken)
      })
      callback(null, socket)
    })
}

function pathPrefix(config: EndpointConfig): string {
  return new URL(config.url).pathname.replace(/\/+$/, '').replace(/\/v1$/, '')
}

function authorization({ apiKey, url }: EndpointConfig): string | null {
  if (apiKey !== undefined) return `Bearer ${apiKey}`
  return basicAuthorization(new URL(url))
}

function reportedModels(
  models: NonNullable<EndpointReport['models']>,
): ReadonlyMap<ModelName, ServedModel> {
  return new Map(
    models.map(({ servedName, contextTokens, tasks }) => [
      modelName(servedName),
      {
        model: modelName(servedName),
        servedName,
        contextTokens,
        tasks: tasks === null ? null : new Set(tasks),
      },
    ]),
  )
}

/** What the user gave stays as it is; `reported` tells how long their contexts are. */
function configuredModels(
  config: EndpointConfig,
  reported: NonNullable<EndpointReport['models']> = [],
): ReadonlyMap<ModelName, ServedModel> | null {
  if (config.models === undefined) return null
  const contexts = new Map(reported.map((one) => [one.servedName, one.contextTokens]))
  const entries = Array.isArray(config.models)
    ? config.models.map((name) => [name, name] as const)
    : Object.entries(config.models)
  return new Map(
    entries.map(([model, servedName]) => [
      modelName(model),
      {
        model: modelName(model),
        servedName,
        contextTokens: config.contextTokens ?? contexts.get(servedName) ?? null,
        tasks: null,
      },
    ]),
  )
}
