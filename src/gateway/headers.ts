/** Which headers pass through a gateway, and which end at it. */
import type { IncomingHttpHeaders } from 'node:http'

/** They speak of one connection, and the next one is another (RFC 9110, 7.6.1). */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/**
 * Ours to decide: where it goes and how long it is, who the client is to us, and how answers are
 * packed. Without accept-encoding engines answer in plain, which is what a relay can read.
 */
const endsHere = new Set([
  'host',
  'content-length',
  'content-encoding',
  'accept-encoding',
  'authorization',
  'x-api-key',
  'api-key',
  'cookie',
  'expect',
  'origin',
  'x-request-id',
  'x-motley-class',
])

const answerEndsHere = new Set([
  'content-length',
  'server',
  'date',
  'set-cookie',
  'alt-svc',
  'www-authenticate',
  'x-request-id',
  'x-motley-class',
])

const ours = new Set(
  ['endpoint', 'attempts', 'queue-ms', 'model'].map((name) => `x-motley-${name}`),
)

/** Headers of a client's request that go on to the endpoint, as name, value, name, value … */
export function forwardedRequestHeaders(rawHeaders: readonly string[]): string[] {
  const named = namedByConnection(rawHeaders)
  const kept: string[] = []
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] as string).toLowerCase()
    if (hopByHop.has(name) || endsHere.has(name) || named?.has(name)) continue
    kept.push(name, rawHeaders[at + 1] as string)
  }
  return kept
}

/** Headers of an endpoint's answer that go on to the client. */
export function forwardedAnswerHeaders(headers: IncomingHttpHeaders): string[] {
  const connection = headers.connection
  const named = connection === undefined ? null : tokens(connection)
  const kept: string[] = []
  for (const name in headers) {
    if (hopByHop.has(name) || answerEndsHere.has(name) || named?.has(name)) continue
    if (name.startsWith('access-control-')) continue
    // Ours to say. What an emulator says of itself passes.
    if (ours.has(name)) continue
    const value = headers[name]
    if (value === undefined) continue
    if (Array.isArray(value)) for (const one of value) kept.push(name, one)
    else kept.push(name, value)
  }
  return kept
}

function namedByConnection(rawHeaders: readonly string[]): Set<string> | null {
  let named: Set<string> | null = null
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if ((rawHeaders[at] as string).toLowerCase() !== 'connection') continue
    const value = (rawHeaders[at + 1] as string).toLowerCase()
    if (value === 'keep-alive' || value === 'close') continue
    named = new Set([...(named ?? []), ...tokens(value)])
  }
  return named
}

function tokens(value: string): Set<string> {
  return new Set(value.split(',').map((token) => token.trim().toLowerCase()))
}

/**
 * Seconds to wait, from Retry-After as seconds or as a date; null when it says neither. Fractions
 * are kept, the past is 0.
 */
export function retryAfterSeconds(value: string | undefined, nowEpochMs: number): number | null {
  if (value === undefined) return null
  if (/^\d+(\.\d+)?$/.test(value.trim())) return Number(value)
  const at = Date.parse(value)
  return Number.isNaN(at) ? null : Math.max(0, (at - nowEpochMs) / 1000)
}
