/**
 * HTTP as downloads need it: redirects are followed but secrets stay with the host they were meant
 * for, bodies are streams that wait for their reader, and what may pass by itself is told apart
 * from what will not.
 */
import type { Readable } from 'node:stream'
import { Agent, type Dispatcher, EnvHttpProxyAgent } from 'undici'
import { basicAuthorization } from '#std/basic-authorization.ts'
import { type Peer, peerConnector } from '#std/peer-connector.ts'
import { TransientError } from '#weights/retry.ts'
import { WeightsError } from '#weights/weights-error.ts'

export interface HttpRequest {
  readonly url: string
  readonly method?: 'GET' | 'HEAD'
  readonly headers?: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: HttpHeaders
  /** Must be read to its end, or destroyed. */
  readonly body: Readable
  /** Who answered, after all redirects. */
  readonly url: string
}

/** Names in lower case; of a header that came several times, the first. */
export type HttpHeaders = Readonly<Record<string, string | undefined>>

export interface HttpClient {
  /**
   * Resolves with any HTTP answer. Rejects with {@link TransientError} when there was none, with
   * {@link WeightsError} when there never will be one, and with the reason of `signal`.
   */
  request(request: HttpRequest): Promise<HttpAnswer>
  close(): Promise<void>
}

export interface HttpClientOptions {
  /** A host that does not answer a connection for so long is down. */
  readonly connectMs?: number
  /** No byte for so long means that the connection is dead, whatever TCP believes. */
  readonly idleMs?: number
  /** Connects only to who owns this certificate, and past all proxies. */
  readonly peer?: Peer
  /** For HTTP_PROXY, HTTPS_PROXY and NO_PROXY. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

const redirectsMax = 10
/** Headers that say who we are: never for a host that somebody else has named. */
const secretHeaders = new Set(['authorization', 'cookie', 'proxy-authorization'])

export function openHttpClient({
  connectMs = 10_000,
  idleMs = 30_000,
  env = {},
  peer,
}: HttpClientOptions = {}): HttpClient {
  const limits = {
    allowH2: false,
    connect: peer === undefined ? { timeout: connectMs } : peerConnector(peer, connectMs),
    headersTimeout: idleMs,
    bodyTimeout: idleMs,
  }
  const dispatcher =
    peer === undefined && hasProxy(env) ? new EnvHttpProxyAgent(limits) : new Agent(limits)
  return {
    request: (request) => follow(dispatcher, request),
    close: () => dispatcher.destroy(),
  }
}

function hasProxy(env: Readonly<Record<string, string | undefined>>): boolean {
  return ['HTTP_PROXY', 'HTTPS_PROXY'].some((name) => env[name] || env[name.toLowerCase()])
}

async function follow(dispatcher: Dispatcher, request: HttpRequest): Promise<HttpAnswer> {
  let url = new URL(request.url)
  let headers = request.headers ?? {}
  for (let redirects = 0; redirects <= redirectsMax; redirects++) {
    const answer = await ask(dispatcher, url, headers, request)
    const location = answer.headers['location']
    if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined) return answer
    const next = URL.canParse(location, url.href) ? new URL(location, url) : null
    if (next === null || !/^https?:$/.test(next.protocol)) {
      discard(answer)
      throw new WeightsError('wrong_content', `${url.host} redirects to what is no web address`)
    }
    discard(answer)
    if (url.protocol === 'https:' && next.protocol === 'http:') {
      throw new WeightsError(
        'wrong_content',
        `${url.host} redirects from https to plain http at ${next.host}: not followed`,
      )
    }
    if (next.host !== url.host) {
      headers = Object.fromEntries(
        Object.entries(headers).filter(([name]) => !secretHeaders.has(name.toLowerCase())),
      )
    }
    url = next
  }
  throw new WeightsError('wrong_content', `${url.host} redirects more than ${redirectsMax} times`)
}

async function ask(
  dispatcher: Dispatcher,
  url: URL,
  headers: Readonly<Record<string, string>>,
  { method = 'GET', signal }: HttpRequest,
): Promise<HttpAnswer> {
  const authorization = basicAuthorization(url)
  try {
    const answer = await dispatcher.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      headers: {
        'user-agent': 'motley',
        accept: '*/*',
        'accept-encoding': 'identity',
        ...(authorization !== null && { authorization }),
        ...headers,
      },
      signal,
    })
    return {
      status: answer.statusCode,
      headers: firstValues(answer.headers),
      body: answer.body,
      url: url.href,
    }
  } catch (error) {
    signal.throwIfAborted()
    throw connectionFailure(error, url.host)
  }
}

function firstValues(headers: Dispatcher.ResponseData['headers']): HttpHeaders {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
  )
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refuses the connection',
  EHOSTUNREACH: 'cannot be reached',
  ENETUNREACH: 'cannot be reached: no network',
  EAI_AGAIN: 'cannot be looked up now',
  ENOTFOUND: 'is not a host that anybody knows',
  UND_ERR_CONNECT_TIMEOUT: 'does not answer',
  UND_ERR_HEADERS_TIMEOUT: 'does not answer',
  UND_ERR_BODY_TIMEOUT: 'went silent',
}

/** Of a connection that failed, or ended before its body did. */
export function connectionFailure(error: unknown, host: string): Error {
  if (error instanceof WeightsError) return error
  const code = codeOf(error)
  if (/CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|EPROTO|ISSUER/.test(code)) {
    return new WeightsError(
      'unreachable',
      `${host} cannot prove who it is (${code}): a proxy in between needs NODE_EXTRA_CA_CERTS`,
      { cause: error },
    )
  }
  return new TransientError(`${host} ${reasons[code] ?? `closed the connection (${code})`}`, {
    cause: error,
  })
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if ('code' in error && typeof error.code === 'string') return error.code
  const [first] = error instanceof AggregateError ? error.errors : []
  const inner = first ?? error.cause
  return inner instanceof Error && inner !== error ? codeOf(inner) : error.name
}

/**
 * How long a 429 or 503 asks to wait: `Retry-After` in seconds or as a date, or what the hub says
 * in `RateLimit: "api";r=0;t=120`. Null when it says nothing that can be read.
 */
export function retryAfterMs(headers: HttpHeaders, nowMs: number): number | null {
  const after = headers['retry-after']?.trim()
  if (after !== undefined && /^\d+(\.\d+)?$/.test(after)) return Number(after) * 1000
  const dateMs = after === undefined ? Number.NaN : Date.parse(after)
  if (!Number.isNaN(dateMs)) return Math.max(0, dateMs - nowMs)
  const [, seconds] = /;\s*t=(\d+)/.exec(headers['ratelimit'] ?? '') ?? []
  return seconds === undefined ? null : Number(seconds) * 1000
}

/** Answers of a server that may do better a little later. */
export function isTransientStatus(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500
}

/** Pages of metadata have a few kilobytes; trees of large repositories a few megabytes. */
const textBytesMax = 32 * 1024 * 1024

/** The whole body as text. Rejects as {@link HttpClient.request} does. */
export async function readText(answer: HttpAnswer, signal: AbortSignal): Promise<string> {
  const { host } = new URL(answer.url)
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > textBytesMax) {
        throw new WeightsError('wrong_content', `${host} sends more than a page of metadata has`)
      }
      chunks.push(chunk)
    }
  } catch (error) {
    signal.throwIfAborted()
    throw connectionFailure(error, host)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Reading so little costs less than a new connection. */
const drainedBytesMax = 64 * 1024

/** Lets go of an answer whose body nobody wants. */
export function discard({ body, headers }: HttpAnswer): void {
  // undici reports a destroyed body as an error, which nobody is interested in.
  body.on('error', () => {})
  if (Number(headers['content-length'] ?? Number.POSITIVE_INFINITY) <= drainedBytesMax) {
    body.resume()
  } else body.destroy()
}
