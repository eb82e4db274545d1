/**
 * The engine emulator: a real HTTP server that speaks as an inference engine does, at the pace of a
 * named device, and fails as it is told to. It computes nothing; its answers are words drawn from
 * a seed.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type EmulatorClock, fasterClock, systemClock } from '#emulator/clock.ts'
import type { Dialect, Page, PageContext, Route } from '#emulator/dialect.ts'
import { jsonPage } from '#emulator/dialect.ts'
import { dialects } from '#emulator/dialects/index.ts'
import { Exchange, type Machine, type Outcome } from '#emulator/exchange.ts'
import { type Fault, FaultSyntaxError } from '#emulator/fault.ts'
import { FaultScript } from '#emulator/fault-script.ts'
import { answerWithFault } from '#emulator/faults/answer-faults.ts'
import { Inference } from '#emulator/inference.ts'
import { Listener } from '#emulator/listener.ts'
import {
  type EmulatedEngine,
  type EmulatorOptions,
  type EmulatorSettings,
  resolveOptions,
  toFault,
} from '#emulator/options.ts'
import { collectBody, parseJson, readFields } from '#emulator/request-body.ts'
import { type Fields, isFields, listField, textField } from '#emulator/request-fields.ts'
import { Residency } from '#emulator/residency.ts'
import { isPublicPath, RouteTable } from '#emulator/route-table.ts'
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

export interface ReceivedRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Empty when it was larger than a test would look at. */
  readonly body: Buffer
}

/** Enough for a test to look back on; a benchmark must not fill the memory with its requests. */
const receivedMax = 200
const receivedBytesMax = 256 * 1024

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
  readonly #requests = new Map<string, number>()
  readonly #outcomes: Record<Outcome, number> = { finished: 0, aborted: 0, faulted: 0 }
  #received: ReceivedRequest[] = []
  #started = 0
  #nextId = 0
  #script: FaultScript
  #callOffListener: (() => void) | null = null
  #closed = false

  constructor(settings: EmulatorSettings, clock: EmulatorClock, onExit: (() => void) | null) {
    this.settings = settings
    this.engine = settings.engine
    this.#clock = clock
    this.#onExit = onExit
    this.#dialect = dialects[settings.engine]
    this.#routes = new RouteTable(this.#dialect, settings.tasks)
    this.#keepAliveTimeoutMs = settings.keepAliveTimeoutMs ?? this.#dialect.keepAliveTimeoutMs
    this.#script = new FaultScript(settings.faults, clock, settings.seed)
    this.#inference = new Inference(clock, {
      prefillTokensPerSecond: settings.prefillTokensPerSecond,
      decodeTokensPerSecond: settings.decodeTokensPerSecond,
      slots: settings.slots,
      waitingMax: this.#dialect.waitingMax,
      kvTokens: settings.kvTokens,
    })
    this.#residency = new Residency(clock, settings.loadMs)
    const loadsAtStart = !this.#dialect.loadsOnDemand
    this.#loadedAtMs = clock.nowMs() + (loadsAtStart ? settings.loadMs : 0)
    this.#listener = new Listener(settings.host, settings.port, (request, response) =>
      this.#handle(request, response),
    )
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

  /** Opens once in any case: only then is a free port known. */
  async start(): Promise<void> {
    await this.#listener.open()
    await this.#adjustListener()
  }

  setFaults(faults: readonly (Fault | string)[]): void {
    this.#script = new FaultScript(faults.map(toFault), this.#clock, this.settings.seed)
    void this.#adjustListener()
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
    return this.#received.slice(-receivedMax)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#callOffListener?.()
    this.#inference.close()
    await this.#listener.shut('close')
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

  /** Listens or not as loading and the script say, and comes back when that changes. */
  async #adjustListener(): Promise<void> {
    this.#callOffListener?.()
    this.#callOffListener = null
    if (this.#closed) return
    const loadsDeaf = this.#dialect.whileLoading === 'refuses' && this.#isLoading()
    const changes = [
      this.#script.refusalChangesInMs() ?? Number.POSITIVE_INFINITY,
      loadsDeaf ? this.#loadedAtMs - this.#clock.nowMs() : Number.POSITIVE_INFINITY,
    ]
    const nextMs = Math.min(...changes)
    if (Number.isFinite(nextMs)) {
      this.#callOffListener = this.#clock.schedule(nextMs, () => void this.#adjustListener())
    }
    if (loadsDeaf || this.#script.refusesNow()) await this.#listener.shut('reset')
    else await this.#listener.open()
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
    if (path === '/emulator' || path.startsWith('/emulator/')) {
      this.#control(method, path, request, response)
      return
    }
    const found = this.#routes.find(method, path)
    const known = found.kind === 'route' ? `${method} ${found.route.path}` : 'unknown'
    this.#requests.set(known, (this.#requests.get(known) ?? 0) + 1)
    const { whileLoading } = this.#dialect
    if (this.#isLoading() && whileLoading !== null && whileLoading !== 'refuses') {
      const lies = this.#script.forHealth().some((fault) => fault.kind === 'lying-health')
      if (!lies || found.kind !== 'route' || found.route.kind !== 'page') {
        this.#send(response, whileLoading)
        return
      }
    }
    if (found.kind === 'unknown') {
      this.#send(response, this.#dialect.failurePage({ kind: 'unknown-path', method }, path))
      return
    }
    if (found.kind === 'wrong-method') {
      const { allow } = found
      const page = this.#dialect.failurePage({ kind: 'wrong-method', allow }, path)
      this.#send(response, page, { allow })
      return
    }
    if (!this.#isAllowed(request, path)) {
      this.#send(response, this.#dialect.failurePage({ kind: 'unauthorized' }, path))
      return
    }
    const { route, rest } = found
    if (route.kind === 'page') {
      this.#page(route, { request, response, path, rest, query })
    } else {
      this.#readBody(request, response, (body) => this.#infer(route, request, response, path, body))
    }
  }

  #page(
    route: Extract<Route, { kind: 'page' }>,
    at: {
      readonly request: IncomingMessage
      readonly response: ServerResponse
      readonly path: string
      readonly rest: string
      readonly query: string
    },
  ): void {
    const send = (body: Fields): void => {
      const context: PageContext = {
        settings: this.settings,
        load: this.#inference.load(),
        inference: this.#inference,
        inFlight: this.#inFlight(),
        startedAtSeconds: this.#startedAtSeconds,
        residents: this.#residency.list(Date.now()),
        query: new URLSearchParams(at.query),
        rest: at.rest,
        body,
      }
      this.#send(at.response, route.page(context))
    }
    if (route.method === 'POST') {
      this.#readBody(at.request, at.response, (body) => {
        const fields = parseJson(body)
        if (isFields(fields)) send(fields)
        else this.#send(at.response, this.#dialect.failurePage(notJson, at.path))
      })
    } else if (route.isHealth === true && !this.#script.isEmpty) {
      this.#healthWithFaults(at.response, at.path, () => send({}))
    } else {
      send({})
    }
  }

  #healthWithFaults(response: ServerResponse, path: string, send: () => void): void {
    const faults = this.#script.forHealth()
    if (faults.some((fault) => fault.kind === 'loading')) {
      const { whileLoading } = this.#dialect
      const page =
        whileLoading === null || whileLoading === 'refuses'
          ? this.#dialect.failurePage({ kind: 'loading' }, path)
          : whileLoading
      this.#send(response, page)
      return
    }
    const slow = faults.find((fault) => fault.kind === 'slow-health')
    if (slow === undefined) {
      send()
      return
    }
    const callOff = this.#clock.schedule(slow.delayMs, send)
    response.on('close', callOff)
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
    response: ServerResponse,
    then: (body: Buffer) => void,
  ): void {
    collectBody(request, (body) => {
      if (body === null) {
        this.#send(response, this.#dialect.failurePage({ kind: 'status', status: 413 }, '/'))
        return
      }
      this.#remember(request, body)
      then(body)
    })
  }

  #remember(request: IncomingMessage, body: Buffer): void {
    this.#received.push({
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: body.length > receivedBytesMax ? Buffer.alloc(0) : body,
    })
    // Trimmed rarely: taking one away each time would move the whole list for every request.
    if (this.#received.length >= receivedMax * 2)
      this.#received = this.#received.slice(-receivedMax)
  }

  #isAllowed(request: IncomingMessage, path: string): boolean {
    const { apiKey } = this.settings
    if (apiKey === null || isPublicPath(this.#dialect, path)) return true
    const { authorization } = request.headers
    return authorization === `Bearer ${apiKey}` || request.headers['x-api-key'] === apiKey
  }

  /** The emulator's own routes, which no engine has. */
  #control(method: string, path: string, request: IncomingMessage, response: ServerResponse): void {
    const route = `${method} ${path}`
    if (route === 'GET /emulator') {
      this.#send(response, jsonPage(200, this.#describe()))
    } else if (route === 'POST /emulator/faults') {
      this.#readBody(request, response, (body) => this.#replaceScript(body, response))
    } else if (route === 'POST /emulator/exit') {
      response.once('finish', () => {
        void this.close().then(() => this.#onExit?.())
      })
      this.#send(response, jsonPage(200, { exiting: true }), { connection: 'close' })
    } else {
      const message =
        'The emulator has GET /emulator, POST /emulator/faults and POST /emulator/exit.'
      this.#send(response, jsonPage(404, { error: { message } }))
    }
  }

  #replaceScript(body: Buffer, response: ServerResponse): void {
    const list = parseJson(body)
    const isList = Array.isArray(list) && list.every((one) => typeof one === 'string')
    if (!isList) {
      const message = 'The body must be a JSON list of faults, such as ["cut:40@first"].'
      this.#send(response, jsonPage(400, { error: { message } }))
      return
    }
    try {
      const faults = list.map((one: string) => toFault(one))
      // The answer goes first: the new script may close this very connection.
      response.once('finish', () => this.setFaults(faults))
      this.#send(response, jsonPage(200, { faults: list }))
    } catch (error) {
      if (!(error instanceof FaultSyntaxError)) throw error
      this.#send(response, jsonPage(400, { error: { message: error.message } }))
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

  #send(
    response: ServerResponse,
    { status, contentType, body }: Page,
    extra: Readonly<Record<string, string>> = {},
  ): void {
    if (response.headersSent || response.destroyed) return
    response.writeHead(status, {
      ...this.#machine.headers,
      'content-type': contentType,
      'content-length': Buffer.byteLength(body),
      ...extra,
    })
    response.end(body)
  }
}

const notJson = {
  kind: 'bad-request',
  message: 'The body is not a valid JSON object.',
  param: null,
} as const

const finite = (rate: number): number | null => (Number.isFinite(rate) ? rate : null)

function endsWithAssistant(body: Fields): boolean {
  const last = listField(body, 'messages').at(-1)
  return isFields(last) && textField(last, 'role') === 'assistant'
}
