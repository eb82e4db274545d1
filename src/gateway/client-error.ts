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

/** `api` is null for paths that are no API: they get OpenAI's shape too. */
export function sendError(
  response: ServerResponse,
  api: Api | null,
  error: MotleyError,
  headers: readonly string[] = [],
): void {
  const { status, hint } = errorCatalog[error.code]
  const wire: WireError = {
    status,
    code: error.code,
    message: `${error.message} ${hint}`,
    param: error.param,
  }
  if (response.headersSent) {
    // The status line is out, so the error is an event of the stream, and the connection breaks.
    const frame = api?.stream?.errorFrame(wire)
    if (frame !== undefined) response.write(frame)
    response.socket?.destroySoon()
    return
  }
  const body = Buffer.from(
    JSON.stringify(
      api === null
        ? openAiErrorBody(wire.status, wire.message, wire.code, wire.param)
        : api.errorBody(wire),
    ),
  )
  const retryAfter = error.retryAfterSeconds
  response.writeHead(status, [
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
    ...(status === 401 ? ['www-authenticate', 'Bearer, Basic realm="motley"'] : []),
    ...(alreadyRetried.has(error.code) ? ['x-should-retry', 'false'] : []),
    ...headers,
  ])
  response.end(body)
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
