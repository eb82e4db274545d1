/**
 * Fetches an engine's pages over HTTP and sorts what can go wrong into the few kinds that a health
 * check tells apart. Connections are kept, redirects are not followed.
 */
import { Agent, type Dispatcher } from 'undici'
import type { PageFetcher, PageOutcome, PageRequest } from '#agent/page-fetcher.ts'
import { basicAuthorization } from '#std/basic-authorization.ts'
import { peerConnector } from '#std/peer-connector.ts'

/**
 * A page of an engine is a few hundred bytes, and metrics with many histograms 100 to 300 KB.
 * Without a limit an endpoint that streams for ever would fill our memory.
 */
const bodyBytesMax = 1024 * 1024

export interface OpenPageFetcher {
  readonly fetchPage: PageFetcher
  /** Ends every connection; pages under way end as malformed. */
  close(): void
}

/** Longer than any interval of checks: what is asked again and again keeps its connections. */
const unusedMsMax = 10 * 60_000

interface Pool {
  readonly agent: Agent
  usedAtMs: number
}

export function openPageFetcher(nowMs: () => number = () => performance.now()): OpenPageFetcher {
  // How long connecting may take belongs to a connection pool, so each limit has its own.
  const pools = new Map<string, Pool>()
  /** Nodes come and go, each with a certificate of its own. */
  const endUnused = (): void => {
    for (const [key, { agent, usedAtMs }] of pools) {
      if (nowMs() - usedAtMs < unusedMsMax) continue
      pools.delete(key)
      void agent.close()
    }
  }
  const agentFor = ({ timeoutMs, peer }: PageRequest): Agent => {
    const key = `${timeoutMs} ${peer?.fingerprint ?? ''}`
    const known = pools.get(key)
    if (known !== undefined) {
      known.usedAtMs = nowMs()
      return known.agent
    }
    endUnused()
    const agent = new Agent({
      allowH2: false,
      connect: peerConnector(peer, timeoutMs),
      headersTimeout: 0,
      bodyTimeout: 0,
      maxResponseSize: bodyBytesMax,
    })
    pools.set(key, { agent, usedAtMs: nowMs() })
    return agent
  }
  return {
    async fetchPage(request) {
      const startMs = performance.now()
      const agent = agentFor(request)
      const first = await fetchOnce(agent, request, request.timeoutMs)
      if (first !== 'closed') return first
      // A kept connection may be closed by the other side just as we use it; a new one tells.
      const leftMs = request.timeoutMs - (performance.now() - startMs)
      const second = leftMs > 0 ? await fetchOnce(agent, request, leftMs) : first
      if (second !== 'closed') return second
      return { kind: 'malformed', detail: 'it closed the connection without an answer' }
    },
    close() {
      for (const { agent } of pools.values()) void agent.destroy()
      pools.clear()
    },
  }
}

/** Where a page of an endpoint is. `/v1` at the end of an endpoint's URL is the API's, not ours. */
export function pageUrl(endpointUrl: string, path: string): URL {
  const base = new URL(endpointUrl)
  const prefix = base.pathname.replace(/\/+$/, '').replace(/\/v1$/, '')
  return new URL(base.origin + prefix + path)
}

function headersFor(request: PageRequest): Record<string, string> {
  const headers = { accept: '*/*', 'user-agent': 'motley' }
  if (request.apiKey !== undefined) {
    return { ...headers, authorization: `Bearer ${request.apiKey}` }
  }
  const authorization = basicAuthorization(new URL(request.url))
  return authorization === null ? headers : { ...headers, authorization }
}

/** `closed`: the connection ended before the first byte of an answer. */
function fetchOnce(
  agent: Agent,
  request: PageRequest,
  timeoutMs: number,
): Promise<PageOutcome | 'closed'> {
  const { signal } = request
  const { origin, pathname, search } = pageUrl(request.url, request.path)
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    let over = false
    let connection: Dispatcher.DispatchController | null = null
    let status = 0
    let headers: Dispatcher.ResponseData['headers'] = {}
    const chunks: Buffer[] = []

    const finish = (settle: () => void): void => {
      if (over) return
      over = true
      clearTimeout(timer)
      clearImmediate(hearing)
      signal.removeEventListener('abort', onAbort)
      settle()
    }
    const hangUp = (): void => connection?.abort(new Error('the page is no longer wanted'))
    const onAbort = (): void => {
      finish(() => reject(signal.reason))
      hangUp()
    }
    let hearing: NodeJS.Immediate | undefined
    const timer = setTimeout(() => {
      // A process that stood still finds its timers before what came meanwhile: that is heard first.
      hearing = setImmediate(() => {
        finish(() => resolve(timeoutOutcome(connection !== null, request.timeoutMs)))
        hangUp()
      })
    }, timeoutMs)
    signal.addEventListener('abort', onAbort)

    agent.dispatch(
      { origin, path: pathname + search, method: 'GET', headers: headersFor(request) },
      {
        onRequestStart(controller) {
          connection = controller
          if (over) hangUp()
        },
        onResponseStart(_controller, statusCode, responseHeaders) {
          if (statusCode < 200) return
          status = statusCode
          headers = responseHeaders
        },
        onResponseData(_controller, chunk) {
          chunks.push(chunk)
        },
        onResponseEnd() {
          const body = Buffer.concat(chunks).toString('utf8')
          finish(() => resolve({ kind: 'answer', answer: { status, headers, body } }))
        },
        onResponseError(_controller, error) {
          finish(() => resolve(failureOutcome(error, connection !== null, status !== 0)))
        },
      },
    )
  })
}

function timeoutOutcome(connected: boolean, timeoutMs: number): PageOutcome {
  return connected
    ? { kind: 'answer-timeout', detail: `it did not answer within ${timeoutMs} ms` }
    : { kind: 'connect-timeout', detail: `no connection within ${timeoutMs} ms` }
}

const unreachable: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  EHOSTUNREACH: 'its machine cannot be reached',
  ENETUNREACH: 'its network cannot be reached',
  ENOTFOUND: 'its host name is not known',
  EAI_AGAIN: 'its host name cannot be looked up now',
}

function failureOutcome(
  error: Error,
  connected: boolean,
  answered: boolean,
): PageOutcome | 'closed' {
  const code = codeOf(error)
  if (!connected) {
    if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') {
      return { kind: 'connect-timeout', detail: 'no connection in time' }
    }
    // Something listens there, but cannot agree with us on how to speak in private.
    if (/CERT|SSL|TLS|EPROTO|ISSUER|SIGNATURE/.test(code)) {
      return { kind: 'malformed', detail: `no TLS connection is possible (${code})` }
    }
    const detail = unreachable[code] ?? `no connection is possible (${code})`
    return { kind: 'refused', detail }
  }
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') {
    return { kind: 'malformed', detail: `its answer is larger than ${bodyBytesMax} bytes` }
  }
  if (error.name === 'HTTPParserError' || code === 'UND_ERR_HEADERS_OVERFLOW') {
    return { kind: 'malformed', detail: 'its answer is not HTTP' }
  }
  return answered ? { kind: 'malformed', detail: 'its answer ended too early' } : 'closed'
}

/** The error's code, or that of the first of several addresses that were tried. */
function codeOf(error: Error): string {
  if ('code' in error && typeof error.code === 'string') return error.code
  const [first] = error instanceof AggregateError ? error.errors : []
  return first instanceof Error && first !== error ? codeOf(first) : error.name
}
