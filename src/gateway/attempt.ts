/**
 * One try of one request on one endpoint: sends it, relays what comes back, and ends in one of two
 * ways. Either the client has its answer (or its honest error in mid-stream), or nothing reached
 * the client and another endpoint may try.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import type { ServedModel } from '#core/endpoint.ts'
import type { Evidence } from '#core/endpoint-health.ts'
import type { ModelName } from '#core/ids.ts'
import type { AnswerRest } from '#gateway/answer-rest.ts'
import {
  type AttemptFailure,
  failureOf,
  type KnownOfFailure,
  readRefusal,
} from '#gateway/attempt-failure.ts'
import { tallyEnd, tallyTokens } from '#gateway/attempt-tally.ts'
import { connectionFailure } from '#gateway/connection-failure.ts'
import { carriedAnAnswer, type Endpoint } from '#gateway/endpoint.ts'
import type { Outcome } from '#gateway/endpoint-stats.ts'
import { bodyFor, enginePath, requestHeaders } from '#gateway/engine-request.ts'
import type { Exchange, UnderWay, WaitsFor } from '#gateway/exchange.ts'
import type { AnswerRelay } from '#gateway/relay.ts'
import { relayFor } from '#gateway/relays/index.ts'
import type { SentRequest } from '#gateway/sent-request.ts'
import { type Deadlines, type Phase, Watchdog } from '#gateway/watchdog.ts'
import type { FailureKind } from '#routing/retry.ts'

export type AttemptEnd =
  /** The exchange is over as far as the client is concerned. */
  | { readonly kind: 'answered' }
  | { readonly kind: 'client-gone' }
  /** The gateway stops, and nothing reached the client. */
  | { readonly kind: 'shut-down' }
  /** The endpoint had just closed the connection that was used: the request never began. */
  | { readonly kind: 'stale' }
  | { readonly kind: 'failed'; readonly failure: AttemptFailure }
  /** It broke off in the middle, and another endpoint may go on; if none does, `message` says why. */
  | { readonly kind: 'broke-off'; readonly failure: AttemptFailure; readonly message: string }

export interface AttemptOptions {
  readonly exchange: Exchange
  /** Where it goes, and who is told how it goes there. */
  readonly sent: SentRequest
  readonly model: ModelName
  readonly served: ServedModel
  readonly deadlines: Deadlines
  /** How it goes on with an answer that broke off elsewhere; null where it begins one. */
  readonly rest: AnswerRest | null
  /** Whether a kept connection that broke at once may be reported as stale. */
  readonly mayResend: boolean
  readonly nowMs: () => number
}

/** Error answers are read up to here; engines say what is wrong in far less. */
const errorBodyBytesMax = 64 * 1024

export function attempt(options: AttemptOptions): Promise<AttemptEnd> {
  return new Promise((resolve) => new Attempt(options, resolve).start())
}

class Attempt implements Dispatcher.DispatchHandler, UnderWay {
  readonly #options: AttemptOptions
  readonly #resolve: (end: AttemptEnd) => void
  readonly #watchdog: Watchdog
  readonly #endpoint: Endpoint
  readonly #startedMs: number
  #controller: Dispatcher.DispatchController | null = null
  #relay: AnswerRelay | null = null
  #status = 0
  #headers: IncomingHttpHeaders = {}
  #errorBody: Buffer[] | null = null
  #errorBytes = 0
  /** Whether a usage event was asked for that the client did not ask for. */
  #asksUsage = false
  #over = false

  constructor(options: AttemptOptions, resolve: (end: AttemptEnd) => void) {
    this.#options = options
    this.#resolve = resolve
    this.#startedMs = options.nowMs()
    this.#endpoint = options.sent.endpoint
    this.#watchdog = new Watchdog(options.deadlines, options.nowMs, (what, limitMs) =>
      this.#expired(what, limitMs),
    )
  }

  get sinceMs(): number {
    return this.#startedMs
  }

  get waitsFor(): WaitsFor {
    return { kind: 'answer', endpoint: this.#endpoint.id }
  }

  start(): void {
    const { exchange, served } = this.#options
    const endpoint = this.#endpoint
    exchange.underWay = this
    if (exchange.clientGone) {
      this.clientGone()
      return
    }
    this.#asksUsage = exchange.asked?.askUsage != null && endpoint.supportsStreamUsage
    const body = bodyFor(exchange, served, this.#asksUsage, this.#options.rest)
    endpoint.stats.bytesIn += body.length
    endpoint.pool.dispatch(
      {
        path: endpoint.path(enginePath(exchange)),
        method: 'POST',
        headers: requestHeaders(exchange, endpoint, body.length),
        body: body.content,
      },
      this,
    )
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#over) {
      controller.abort(new Error('the attempt is over'))
      return
    }
    this.#controller = controller
    const nowMs = this.#options.nowMs()
    this.#endpoint.stats.connectMs.add(nowMs - this.#startedMs)
    this.#watchdog.note('first-byte', nowMs)
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    if (this.#over || status < 200) return
    const endpoint = this.#endpoint
    endpoint.progressAtMs = this.#options.nowMs()
    endpoint.stats.noteStatus(status)
    this.#status = status
    this.#headers = headers
    if (status >= 400) {
      this.#errorBody = []
      return
    }
    if (status >= 300 || status === 204 || status === 205) {
      this.#broken(`it answered with status ${status}, which is no answer`, 'response-error')
      return
    }
    const { exchange, model, served, rest, nowMs } = this.#options
    this.#relay = relayFor(
      {
        exchange,
        endpoint: this.#endpoint,
        soFar: exchange.soFar,
        rest,
        nowMs,
        rename: served.servedName === model ? null : { from: served.servedName, to: model },
        hidesUsage: this.#asksUsage,
        writeStallMs: this.#options.deadlines.writeStallMs,
        pause: () => {
          controller.pause()
          this.#watchdog.note('write-stall', this.#options.nowMs())
        },
        resume: () => {
          this.#watchdog.note('between-chunks', this.#options.nowMs())
          controller.resume()
        },
      },
      status,
      headers,
    )
    if (!this.#relay.streams && exchange.response.headersSent) {
      this.#broken('it answered a stream with something else', 'response-error')
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over) return
    const { exchange, sent } = this.#options
    const endpoint = this.#endpoint
    const nowMs = this.#options.nowMs()
    endpoint.progressAtMs = nowMs
    endpoint.stats.bytesOut += chunk.length
    if (this.#errorBody !== null) {
      this.#errorBytes += chunk.length
      if (this.#errorBytes <= errorBodyBytesMax) this.#errorBody.push(chunk)
      return
    }
    if (this.#watchdog.phase !== 'write-stall') this.#watchdog.note('between-chunks', nowMs)
    if (exchange.ttftMs === null) exchange.ttftMs = nowMs - exchange.startedMs
    const eventsBefore = exchange.events
    const verdict = this.#relay?.push(chunk) ?? null
    sent.events(exchange.events - eventsBefore)
    if (verdict !== null) this.#broken(verdict, 'response-error')
  }

  onResponseEnd(): void {
    if (this.#over) return
    if (this.#errorBody !== null) {
      this.#refused(Buffer.concat(this.#errorBody))
      return
    }
    const verdict = this.#relay?.end() ?? null
    if (verdict !== null) {
      this.#broken(verdict, 'response-error')
      return
    }
    this.#complete()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#over) return
    const code = (error as NodeJS.ErrnoException).code ?? ''
    if (this.#controller === null) {
      this.#fail({ kind: 'unreachable', detail: connectionFailure(error) }, 'connect-error', {
        kind: 'unreachable',
        detail: connectionFailure(error),
      })
      return
    }
    if (this.#errorBody !== null) {
      this.#refused(Buffer.concat(this.#errorBody))
      return
    }
    if (this.#isStale(error)) {
      this.#close('response-error', null, 'had closed the kept connection')
      this.#resolve({ kind: 'stale' })
      return
    }
    const nonsense = code.startsWith('HPE_') || code === 'UND_ERR_HEADERS_OVERFLOW'
    this.#broken(
      nonsense ? `it sent malformed HTTP (${code})` : `it ${connectionFailure(error)}`,
      'response-error',
    )
  }

  /**
   * Both sides may end a kept connection at any time. When the other side did as we sent, it broke
   * at once, without a byte, and had carried an answer before.
   */
  #isStale(error: Error): boolean {
    return (
      this.#options.mayResend &&
      this.#status === 0 &&
      this.#options.nowMs() - this.#startedMs < staleWithinMs &&
      carriedAnAnswer(error)
    )
  }

  /** The answer was whole. */
  #complete(): void {
    const endpoint = this.#endpoint
    const relay = this.#relay as AnswerRelay
    if (relay.streams && relay.firstByteAtMs !== null) {
      const ttftMs = relay.firstByteAtMs - this.#startedMs
      endpoint.noteTtft(ttftMs)
      endpoint.stats.ttftMs.add(ttftMs)
    }
    tallyTokens(this.#options, relay, !relay.engineFailed)
    if (relay.engineFailed) {
      this.#close('server-error', { kind: 'failure', detail: 'it failed in mid-stream' }, 'failed')
    } else {
      this.#close('ok', { kind: 'success' }, 'ok')
    }
    relay.finish()
    this.#resolve({ kind: 'answered' })
  }

  /** An HTTP error of the engine, whole. */
  #refused(sent: Buffer): void {
    const { model } = this.#options
    const endpoint = this.#endpoint
    const body = endpoint.withoutItsKey(sent)
    const refusal = readRefusal(this.#status, this.#headers, body, {
      nowMs: Date.now(),
      credentials: endpoint.credentials,
    })
    if (refusal.failure.kind === 'rate-limited') {
      const restSeconds = Math.min(refusal.failure.retryAfterSeconds ?? 1, coolSecondsMax)
      endpoint.cool(model, this.#options.nowMs() + restSeconds * 1000)
    }
    this.#fail(refusal.failure, refusal.outcome, refusal.evidence)
  }

  #expired(what: Phase | 'total', limitMs: number): void {
    if (what === 'write-stall') {
      const { exchange } = this.#options
      // Cut off, it is as gone as one that left, and its answer as little whole.
      exchange.clientGone = true
      this.#clientLeft(`the client read nothing for ${limitMs} ms`)
      exchange.response.destroy()
      return
    }
    const detail =
      what === 'total'
        ? 'was not done within the time for the whole request'
        : what === 'connect'
          ? `did not accept a connection within ${limitMs} ms`
          : what === 'first-byte'
            ? `sent nothing within ${limitMs} ms`
            : `fell silent for ${limitMs} ms`
    if (what === 'connect') {
      this.#fail({ kind: 'unreachable', detail }, 'connect-error', { kind: 'unreachable', detail })
    } else {
      this.#broken(`it ${detail}`, 'timeout', what === 'total' ? 'out-of-time' : 'timeout')
    }
  }

  /** The answer broke off, before or after its first byte. */
  #broken(detail: string, outcome: Outcome, kind: FailureKind = 'reset'): void {
    // A request that lost its time elsewhere says nothing about this endpoint.
    const evidence: Evidence | null = kind === 'out-of-time' ? null : { kind: 'failure', detail }
    if (this.#relay === null || !this.#relay.reachedClient) {
      this.#fail({ kind, detail: this.#withEngineWords(detail) }, outcome, evidence, detail)
      return
    }
    const relay = this.#relay
    if (relay.endedBefore()) {
      this.#complete()
      this.#abort()
      return
    }
    tallyTokens(this.#options, relay, false)
    const words = this.#withEngineWords(detail)
    this.#close(outcome, evidence, words, detail)
    this.#abort()
    const message = `The engine on "${this.#endpoint.id}" stopped in the middle of its answer: ${words}.`
    const mayGoOn = relay.streams && kind !== 'out-of-time'
    if (mayGoOn && this.#options.exchange.soFar?.canGoOn === true) {
      this.#resolve({ kind: 'broke-off', failure: failureOf({ kind, detail }), message })
      return
    }
    relay.interrupt('stream_interrupted', message)
    this.#resolve({ kind: 'answered' })
  }

  #withEngineWords(detail: string): string {
    const words = this.#relay?.engineWords ?? null
    if (words === null) return detail
    const kept = this.#endpoint.withoutItsKey(Buffer.from(words)).toString('utf8')
    return `${detail}: "${kept.slice(0, 200)}"`
  }

  #fail(
    failure: KnownOfFailure,
    outcome: Outcome,
    evidence: Evidence | null,
    loggedWords?: string,
  ): void {
    if (this.#over) return
    this.#close(outcome, evidence, failure.detail, loggedWords)
    this.#abort()
    this.#resolve({ kind: 'failed', failure: failureOf(failure) })
  }

  clientGone(): void {
    this.#clientLeft('the client left')
  }

  #clientLeft(words: string): void {
    if (this.#over) return
    if (this.#relay !== null) tallyTokens(this.#options, this.#relay, false)
    this.#close('client-abort', null, words)
    this.#abort()
    this.#resolve({ kind: 'client-gone' })
  }

  shutDown(): void {
    if (this.#over) return
    const relay = this.#relay
    const begun = relay !== null && this.#options.exchange.response.headersSent
    if (relay !== null) tallyTokens(this.#options, relay, false)
    this.#close('shutdown', null, 'was cut by the end of the gateway')
    this.#abort()
    if (begun)
      relay.interrupt('draining', 'The gateway is shutting down, and this answer is not whole.')
    this.#resolve({ kind: begun ? 'answered' : 'shut-down' })
  }

  #abort(): void {
    this.#controller?.abort(new Error('the attempt is over'))
  }

  #close(
    outcome: Outcome,
    evidence: Evidence | null,
    words: string,
    loggedWords = this.#errorBody === null ? words : String(this.#status),
  ): void {
    this.#over = true
    this.#watchdog.stop()
    this.#relay?.release()
    this.#options.exchange.underWay = null
    tallyEnd(this.#options, this.#relay, {
      startedMs: this.#startedMs,
      nowMs: this.#options.nowMs(),
      outcome,
      evidence,
      words,
      loggedWords,
    })
  }
}

/** Well over a round trip of any network on which machines share their work. */
const staleWithinMs = 500

/** A 429 never rests a model for longer than this: the endpoint may have been generous. */
const coolSecondsMax = 60
