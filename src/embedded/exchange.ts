/** One HTTP request and its answer, with what every route needs. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { EmbeddedEngine } from '#embedded/embedded-engine.ts'
import { isObject, type JsonObject, shown, stringField } from '#embedded/fields.ts'
import { RequestError } from '#embedded/request-error.ts'
import { BodyTooLargeError, eventStreamHeaders, readBody, sendEvent } from '#std/http-json.ts'
import { nestsDeeperThan } from '#std/json-depth.ts'

export interface Exchange {
  readonly engine: EmbeddedEngine
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Aborts when the client has gone before its answer was complete. */
  readonly signal: AbortSignal
}

/** Long conversations fit; a body that would only fill the memory does not. */
const bodyBytesMax = 16 * 1024 * 1024

/** The body as a JSON object. Also checks that it asks for the model that is served. */
export async function readRequest({ engine, request }: Exchange): Promise<JsonObject> {
  const body = parseObject(await readLimited(request))
  const model = stringField(body, 'model')
  if (model !== undefined) checkModelName(engine, model)
  return body
}

export function checkModelName({ modelName }: EmbeddedEngine, wanted: string): void {
  if (wanted === modelName) return
  throw new RequestError(
    404,
    `The model ${shown(wanted)} is not served here; this engine serves "${modelName}".`,
    { code: 'model_not_found', param: 'model' },
  )
}

async function readLimited(request: IncomingMessage): Promise<Buffer> {
  const tooLarge = (): RequestError =>
    new RequestError(413, `The request body is larger than ${bodyBytesMax} bytes.`, {
      code: 'request_too_large',
    })
  if (Number(request.headers['content-length'] ?? 0) > bodyBytesMax) throw tooLarge()
  try {
    return await readBody(request, bodyBytesMax)
  } catch (error) {
    throw error instanceof BodyTooLargeError ? tooLarge() : error
  }
}

/** Requests nest some ten levels; thousands would end in the recursion of whoever reads them. */
const nestingMax = 100

function parseObject(bytes: Buffer): JsonObject {
  if (nestsDeeperThan(bytes, nestingMax)) {
    throw new RequestError(400, `The request body nests more than ${nestingMax} levels deep.`, {
      code: 'invalid_json',
    })
  }
  let body: unknown
  try {
    body = JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause)
    throw new RequestError(400, `The request body is not JSON: ${words}`, { code: 'invalid_json' })
  }
  if (isObject(body)) return body
  throw new RequestError(400, `The request body is ${shown(body)}; it must be a JSON object.`, {
    code: 'invalid_json',
  })
}

/** Sends one event, and begins the stream with the first one. */
export async function streamEvent({ response }: Exchange, data: unknown): Promise<void> {
  if (!response.headersSent) response.writeHead(200, eventStreamHeaders)
  await sendEvent(response, data)
}

export async function endStream(exchange: Exchange): Promise<void> {
  await streamEvent(exchange, '[DONE]')
  exchange.response.end()
}
