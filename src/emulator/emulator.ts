/**
 * The engine emulator: a real HTTP server that speaks as an inference engine does, at the pace of a
 * named device, and fails as it is told to. It computes nothing; its answers are words drawn from
 * a seed.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { answerPage } from '#emulator/answer-page.ts'
import { type EmulatorClock, fasterClock, systemClock } from '#emulator/clock.ts'
import { answerControl, type Controlled, isControlPath } from '#emulator/control.ts'
import type { Dialect, Page, PageContext, Route } from '#emulator/dialect.ts'
import { dialects } from '#emulator/dialects/index.ts'
import type { EmulatedEngine } from '#emulator/emulated-engine.ts'
import { Exchange, type Machine, type Outcome } from '#emulator/exchange.ts'
import { notJson } from '#emulator/failure.ts'
import type { Fault } from '#emulator/fault.ts'
import { FaultScript } from '#emulator/fault-script.ts'
import { answerWithFault } from '#emulator/faults/answer-faults.ts'
import { Inference } from '#emulator/inference.ts'
import { Listener } from '#emulator/listener.ts'
import {
  type EmulatorOptions,
  type EmulatorSettings,
  resolveOptions,
  toFault,
} from '#emulator/options.ts'
import { Presence } from '#emulator/presence.ts'
import { type ReceivedRequest, ReceivedRequests } from '#emulator/received-requests.ts'
import { collectBody, readFields } from '#emulator/request-body.ts'
import { type Fields, isFields, listField, textField } from '#emulator/request-fields.ts'
import { Residency } from '#emulator/residency.ts'
import { isPublicPath, RouteTable } from '#emulator/route-table.ts'
import { sendPage } from '#emulator/send-page.ts'
import { taskHandlers } from '#emulator/tasks/index.ts'

export interface Emulator {
  readonly url: string
  readonly port: number
  readonly engine: EmulatedEngine
  readonly settings: EmulatorSettings
  /** Replaces the script; times and counts of the new one begin now. */
  setFaults(faults: readonly (Fault | string)[]): void
  stats(): EmulatorStats
  /** The latest requests, oldest first, for tests that ask what an engine was sent. */
  received(): readonly ReceivedRequest[]
  close(): Promise<void>
}

/** `started` is the sum of `inFlight`, `finished`, `aborted` and `faulted`. */
export interface EmulatorStats {
  /** Inference requests that are not over, waiting ones among them. */
  readonly inFlight: number
  readonly started: number
  readonly finished: number
  /** Given up by the client. */
  readonly aborted: number
  /** Broken off on purpose. */
  readonly faulted: number
  readonly openSockets: number
  readonly running: number
  readonly waiting: number
  /** Requests by method and path, pages included. */
  readonly requests: Readonly<Record<string, number>>
  readonly faults: readonly { readonly fault: string; readonly fired: number }[]
}

/**
 * Starts an emulator. Resolves when its port is known; with `loadMs` it may then still be loading.
 * Rejects with {@link EmulatorOptionsError} or {@link FaultSyntaxError}, or the socket's error.
 */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const settings = resolveOptions(options)
  const clock = fasterClock(options.clock ?? systemClock, settings.speed || 1)
  const emulator = new RunningEmulator(settings, clock, options.onExit ?? null)
  await emulator.start()
  return emulator
}

class RunningEmulator implements Emulator {
  readonly settings: EmulatorSettings
  readonly engine: EmulatedEngine
  readonly #clock: EmulatorClock
  readonly #onExit: (() => void) | null
  readonly #dialect: Dialect
  readonly #routes: RouteTable
  readonly #listener: Listener
  readonly #inference: Inference
  readonly #residency: Residency
  readonly #machine: Machine
  readonly #loadedAtMs: number
  readonly #startedAtSeconds = Math.floor(Date.now() / 1000)
  readonly #keepAliveTimeoutMs: number
  readonly #resetWhenReused = new WeakSet<Socket>()
  readonly #presence: Presence
  readonly #received = new ReceivedRequests()
  readonly #requests = new Map<string, number>()
  readonly #outcomes: Record<Outcome, number> = { finished: 0, aborted: 0, faulted: 0 }
  #started = 0
  #nextId = 0
  #script: FaultScript

  constructor(settings: EmulatorSettings, clock: EmulatorClock, onExit: (() => void) | null) {
    this.settings = settings
    this.engine = settings.engine
    this.#clock = clock
    this.#onExit = onExit
    this.#dialect = dialects[settings.engine]
    this.#routes = new RouteTable(this.#dialect, settings.tasks)
    this.#keepAliveTimeoutMs = settings.keepAliveTimeoutMs ?? this.#dialect.keepAliveTimeoutMs
    this.#script = new FaultScript(settings.faults, clock, settings.seed)
    this.#inference = new Inference(clock, { ...settings, waitingMax: this.#dialect.waitingMax })
    this.#residency = new Residency(clock, settings.loadMs)
    const loadsAtStart = !this.#dialect.loadsOnDemand
    this.#loadedAtMs = clock.nowMs() + (loadsAtStart ? settings.loadMs : 0)
    this.#listener = new Listener(settings.host, settings.port, (request, response) =>
      this.#handle(request, response),
    )
    this.#presence = new Presence({
      listener: this.#listener,
      clock,
      script: () => this.#script,
      opensAtMs:
        this.#dialect.whileLoading === 'refuses' ? this.#loadedAtMs : Number.NEGATIVE_INFINITY,
    })
    this.#machine = {
      settings,
      dialect: this.#dialect,
      clock,
      inference: this.#inference,
      headers: {
        ...(this.#dialect.serverHeader === null ? {} : { server: this.#dialect.serverHeader }),
        'x-motley-emulator': `${settings.engine}; device=${settings.device}`,
      },
      nextId: () => this.#id(),
      residencyDelayMs: (model, keepAlive) =>
        loadsAtStart ? 0 : this.#residency.touch(model, keepAlive),
    }
  }

  get port(): number {
    return this.#listener.port
  }

  get url(): string {
    const { host } = this.settings
    return `http://${host.includes(':') ? `[${host}]` : host}:${this.port}`
  }

  start(): Promise<void> {
    return this.#presence.start()
  }

  setFaults(faults: readonly (Fault | string)[]): void {
    this.#script = new FaultScript(faults.map(toFault), this.#clock, this.settings.seed)
    void this.#presence.adjust()
  }

  stats(): EmulatorStats {
    const { running, waiting } = this.#inference.load()
    return {
      inFlight: this.#inFlight(),
      started: this.#started,
      ...this.#outcomes,
      openSockets: this.#listener.openSockets,
      running,
      waiting,
      requests: Object.fromEntries(this.#requests),
      faults: this.#script.describe(),
    }
  }

  received(): readonly ReceivedRequest[] {
    return this.#received.list()
  }

  async close(): Promise<void> {
    this.#inference.close()
    await this.#presence.end()
  }

  #inFlight(): number {
    const { finished, aborted, faulted } = this.#outcomes
    return this.#started - finished - aborted - faulted
  }

  /** Unique among emulators that started at other moments or on other ports. */
  #id(): string {
    this.#nextId += 1
    const start = (this.#startedAtSeconds % 0xffffff).toString(16).padStart(6, '0')
    return `${start}${this.port.toString(16).padStart(4, '0')}${this.#nextId.toString(16).padStart(8, '0')}`
  }

  #isLoading(): boolean {
    return this.#clock.nowMs() < this.#loadedAtMs
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request
    if (this.#resetWhenReused.has(socket)) {
      socket.resetAndDestroy()
      return
    }
    this.#watchIdle(request, response)
    const url = request.url ?? '/'
    const queryAt = url.indexOf('?')
    const path = queryAt === -1 ? url : url.slice(0, queryAt)
    const query = queryAt === -1 ? '' : url.slice(queryAt + 1)
    const method = request.method ?? 'GET'
    const send = (page: Page, extra?: Readonly<Record<string, string>>) =>
      sendPage(response, page, { ...this.#machine.headers, ...extra })
    const readBody = (then: (body: Buffer) => void) => this.#readBody(request, send, then)
    if (isControlPath(path)) {
      answerControl({ method, path, response, readBody, send }, this.#controlled())
      return
    }
    const found = this.#routes.find(method, path)
    const known = found.kind === 'route' ? `${method} ${found.route.path}` : 'unknown'
    this.#requests.set(known, (this.#requests.get(known) ?? 0) + 1)
    const { whileLoading } = this.#dialect
    if (this.#isLoading() && whileLoading !== null && whileLoading !== 'refuses') {
      const lies = this.#script.forHealth().some((fault) => fault.kind === 'lying-health')
      if (!lies || found.kind !== 'route' || found.route.kind !== 'page') {
        send(whileLoading)
        return
      }
    }
    if (found.kind === 'unknown') {
      send(this.#dialect.failurePage({ kind: 'unknown-path', method }, path))
      return
    }
    if (found.kind === 'wrong-method') {
      const { allow } = found
      const page = this.#dialect.failurePage({ kind: 'wrong-method', allow }, path)
      send(page, { allow })
      return
    }
    if (!this.#isAllowed(request, path)) {
      send(this.#dialect.failurePage({ kind: 'unauthorized' }, path))
      return
    }
    const { route, rest } = found
    if (route.kind === 'page') {
      const context = (body: Fields) => this.#pageContext(query, rest, body)
      const page = { response, path, readBody, send, context }
      answerPage(route, page, { dialect: this.#dialect, clock: this.#clock, script: this.#script })
    } else {
      readBody((body) => this.#infer(route, request, response, path, body))
    }
  }

  #pageContext(query: string, rest: string, body: Fields): PageContext {
    return {
      settings: this.settings,
      load: this.#inference.load(),
      inference: this.#inference,
      inFlight: this.#inFlight(),
      startedAtSeconds: this.#startedAtSeconds,
      residents: this.#residency.list(Date.now()),
      query: new URLSearchParams(query),
      rest,
      body,
    }
  }

  #infer(
    route: Extract<Route, { kind: 'task' }>,
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    rawBody: Buffer,
  ): void {
    const { task } = route
    const body = readFields(request.headers['content-type'] ?? '', rawBody)
    const named = body === null ? null : textField(body, 'model')
    const requestedModel = named ?? this.settings.models[0] ?? ''
    const served = this.#dialect.servedModel(requestedModel, this.settings.models)
    const faults = this.#script.isEmpty
      ? []
      : this.#script.forRequest({
          model: served ?? requestedModel,
          task,
          hasPrefill: body !== null && endsWithAssistant(body),
        })
    this.#started += 1
    const exchange = new Exchange(
      this.#machine,
      { request, response, path, task, faults },
      (outcome) => {
        this.#outcomes[outcome] += 1
      },
    )
    this.#breakConnection(exchange)
    if (answerWithFault(exchange)) return
    if (body === null) {
      exchange.fail(notJson)
    } else if (named === null && this.#dialect.requiresModel) {
      exchange.refuse('model is required.', 'model')
    } else if (served === null && this.#dialect.refusesUnknownModel) {
      exchange.fail({ kind: 'unknown-model', model: requestedModel })
    } else {
      const model = served ?? requestedModel
      taskHandlers[task]({ exchange, requestedModel, model, body, rawBody })
    }
  }

  /** Faults of the connection itself, which strike after a good answer. */
  #breakConnection(exchange: Exchange): void {
    const fault = exchange.fault('keep-alive-race')
    if (fault === null) return
    const { socket } = exchange.request
    exchange.response.once('finish', () => {
      if (fault.moment === 'next') this.#resetWhenReused.add(socket)
      else socket.end()
    })
  }

  /** Closes a connection that has been idle for too long since its last answer. */
  #watchIdle(request: IncomingMessage, response: ServerResponse): void {
    if (this.#keepAliveTimeoutMs === 0) return
    const { socket } = request
    socket.setTimeout(0)
    response.once('finish', () => socket.setTimeout(this.#keepAliveTimeoutMs))
  }

  #readBody(
    request: IncomingMessage,
    send: (page: Page) => void,
    then: (body: Buffer) => void,
  ): void {
    collectBody(request, (body) => {
      if (body === null) {
        send(this.#dialect.failurePage({ kind: 'status', status: 413 }, '/'))
        return
      }
      this.#received.add(request, body)
      then(body)
    })
  }

  #isAllowed(request: IncomingMessage, path: string): boolean {
    const { apiKey } = this.settings
    if (apiKey === null || isPublicPath(this.#dialect, path)) return true
    const { authorization } = request.headers
    return authorization === `Bearer ${apiKey}` || request.headers['x-api-key'] === apiKey
  }

  #controlled(): Controlled {
    return {
      describe: () => this.#describe(),
      setFaults: (faults) => this.setFaults(faults),
      exit: () => void this.close().then(() => this.#onExit?.()),
    }
  }

  #describe() {
    const { engine, name, device, models, slots, speed, seed } = this.settings
    const { prefillTokensPerSecond, decodeTokensPerSecond } = this.settings
    return {
      emulator: true,
      engine,
      name,
      version: this.#dialect.version,
      device,
      models,
      slots,
      speed,
      seed,
      // JSON has no Infinity: null is a rate that takes no time.
      prefillTokensPerSecond: finite(prefillTokensPerSecond),
      decodeTokensPerSecond: finite(decodeTokensPerSecond),
      loading: this.#isLoading(),
      stats: this.stats(),
    }
  }
}

const finite = (rate: number): number | null => (Number.isFinite(rate) ? rate : null)

function endsWithAssistant(body: Fields): boolean {
  const last = listField(body, 'messages').at(-1)
  return isFields(last) && textField(last, 'role') === 'assistant'
}
