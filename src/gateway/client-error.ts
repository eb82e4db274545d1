/** Tells a client what went wrong, in the shape of the API it called. */
import type { ServerResponse } from 'node:http'
import { type ErrorCode, errorCatalog, MotleyError } from '#core/errors.ts'
import type { Api } from '#openai/api.ts'
import { openAiErrorBody } from '#openai/error.ts'
import type { WireError } from '#openai/stream-shape.ts'

/** An error that is not ours to expect is a bug: it is told as one, without its words. */
export function asMotleyError(error: unknown): MotleyError {
  return error instanceof MotleyError
    ? error
    : new MotleyError('internal_error', null, { cause: error })
}

/**
 * `api` is null for paths that are no API: they get OpenAI's shape too. Where the status line is out
 * already, which only a bug can bring about here, the connection breaks.
 */
export function sendError(
  response: ServerResponse,
  api: Api | null,
  error: MotleyError,
  headers: readonly string[] = [],
): void {
  if (response.headersSent) {
    response.socket?.destroySoon()
    return
  }
  const wire = wireError(error)
  const body = Buffer.from(
    JSON.stringify(
      api === null
        ? openAiErrorBody(wire.status, wire.message, wire.code, wire.param)
        : api.errorBody(wire),
    ),
  )
  const retryAfter = error.retryAfterSeconds
  response.writeHead(wire.status, [
    'content-type',
    'application/json',
    'content-length',
    String(body.length),
    ...(retryAfter === null
      ? []
      : [
          'retry-after',
          String(Math.min(retryAfterSecondsMax, Math.max(1, Math.ceil(retryAfter)))),
        ]),
    ...(wire.status === 401 ? ['www-authenticate', 'Bearer, Basic realm="motley"'] : []),
    ...(alreadyRetried.has(error.code) ? ['x-should-retry', 'false'] : []),
    ...headers,
  ])
  response.end(body)
}

/** The same where the status line is out: as an event of the stream, where the API has such. */
export function sendErrorEvent(
  response: ServerResponse,
  api: Api,
  error: MotleyError,
  writeStallMs: number,
): void {
  breakOff(response, api.stream?.errorFrame(wireError(error)) ?? '', writeStallMs)
}

/**
 * Ends an answer that is not whole. A clean end would look like a whole one: the connection ends
 * without it, once the client has read what is on its way, or takes nothing for so long.
 */
export function breakOff(response: ServerResponse, lastFrame: string, writeStallMs: number): void {
  if (lastFrame !== '') response.write(lastFrame)
  response.setTimeout(writeStallMs)
  response.socket?.destroySoon()
}

function wireError(error: MotleyError): WireError {
  const { status, hint } = errorCatalog[error.code]
  const message = `${error.message} ${hint}`
  return { status, code: error.code, message, param: error.param }
}

/** An hour: by then everything may be different, whatever an engine said. */
const retryAfterSecondsMax = 3_600

/** Retried here, so the client's library should not multiply it; OpenAI's clients heed this. */
const alreadyRetried: ReadonlySet<ErrorCode> = new Set([
  'engine_failed',
  'engine_key_refused',
  'engine_timeout',
  'queue_timeout',
])
