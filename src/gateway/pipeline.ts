/**
 * The life of one API request, in order:
 *
 *   authenticate   whose key is it, and may it come in
 *   receive        the body, whole, so that it can be sent again
 *   parse          which model, stream or not
 *   admit          what the key may use is there
 *   forward        an endpoint, and another one if that fails; the answer is relayed as it comes
 *   account        counted, logged and freed, once, however it ended
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { MotleyError } from '#core/errors.ts'
import { requestId } from '#core/ids.ts'
import type { ApiRoute } from '#gateway/api-table.ts'
import { asMotleyError, sendError } from '#gateway/client-error.ts'
import { type AskedFor, Exchange } from '#gateway/exchange.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import { type Admission, checkModelAllowed } from '#gateway/key-ring.ts'
import { ClientGoneError, type RequestBody, receiveBody } from '#gateway/request-body.ts'
import { account } from '#gateway/stages/account.ts'
import { presentedKey } from '#gateway/stages/authenticate.ts'
import { forward } from '#gateway/stages/forward.ts'
import { keepAlive } from '#gateway/stages/keep-alive.ts'
import { type ModelNames, parseFormRequest, parseJsonRequest } from '#gateway/stages/parse.ts'
import { MultipartFieldFinder, multipartBoundary } from '#std/multipart-field-finder.ts'

export async function serveApi(
  state: GatewayState,
  route: ApiRoute,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const exchange = new Exchange({
    id: requestId(requestIdFrom(request)),
    request,
    response,
    route,
    startedMs: state.nowMs(),
  })
  state.running.add(exchange)
  let admission: Admission | null = null
  let stopPings = (): void => {}
  try {
    exchange.key = state.keys.authenticate(presentedKey(request.headers))
    if (state.draining) throw new MotleyError('draining', null, { retryAfterSeconds: 1 })
    exchange.asked = await receiveAndParse(state, exchange)
    checkModelAllowed(exchange.key, exchange.asked.modelText, exchange.asked.model)
    admission = state.keys.admit(exchange.key, tokensToReserve(exchange), state.nowMs())
    stopPings = keepAlive(exchange, state.config.gateway.pingMs)
    await forward(state, exchange)
  } catch (error) {
    stopPings()
    if (!(error instanceof ClientGoneError) && !exchange.clientGone) {
      const told = asMotleyError(error)
      exchange.errorCode = told.code
      if (told.code === 'internal_error') state.reportBug(exchange.id, told.cause)
      const attempts = exchange.attempts.length
      sendError(response, route.api, told, [
        'x-request-id',
        exchange.id,
        ...(attempts === 0 ? [] : ['x-motley-attempts', String(attempts)]),
        // What is still on its way belongs to a request that was refused: it is not read.
        ...(request.complete ? [] : ['connection', 'close']),
      ])
    }
  } finally {
    stopPings()
    admission?.release(usedTokens(exchange))
    void exchange.body?.dispose()
    state.running.delete(exchange)
    account(state, exchange)
  }
}

async function receiveAndParse(state: GatewayState, exchange: Exchange): Promise<AskedFor> {
  const { request, route } = exchange
  const { limits } = state.config.gateway
  const names: ModelNames = {
    resolve: (name) => state.fleet.resolve(name),
    only: state.fleet.models.size === 1 ? (state.fleet.models.keys().next().value ?? null) : null,
  }
  if (route.api.body === 'multipart') {
    const boundary = multipartBoundary(request.headers['content-type'] ?? '')
    if (boundary === null) {
      throw new MotleyError(
        'invalid_request',
        `${route.api.paths[0]} takes multipart/form-data with a boundary, this is "${(request.headers['content-type'] ?? 'nothing').slice(0, 80)}".`,
      )
    }
    const finder = new MultipartFieldFinder(boundary)
    exchange.body = await receive(exchange, limits.uploadBytes, limits.memoryBytes, (piece) =>
      finder.push(piece),
    )
    return parseFormRequest(route.api, finder, names)
  }
  exchange.body = await receive(exchange, limits.jsonBytes, limits.memoryBytes)
  return parseJsonRequest(route.api, exchange.body.inMemory ?? (await exchange.body.bytes()), names)
}

function receive(
  exchange: Exchange,
  maxBytes: number,
  memoryBytes: number,
  look?: (piece: Buffer) => void,
): Promise<RequestBody> {
  const announced = Number(exchange.request.headers['content-length'] ?? 0)
  if (announced > maxBytes) {
    throw new MotleyError(
      'request_too_large',
      `The request body has ${announced} bytes; this path takes ${maxBytes}.`,
    )
  }
  if (exchange.request.headers.expect !== undefined) exchange.response.writeContinue()
  return receiveBody(exchange.request, { maxBytes, memoryBytes }, look)
}

/** About four bytes a token of English; the true count is settled when the answer is over. */
const bytesPerToken = 4

/** Reserved for an answer whose length the client did not limit. */
const answerTokensGuess = 256

function tokensToReserve(exchange: Exchange): number {
  const bytes = exchange.route.api.body === 'json' ? (exchange.body?.length ?? 0) : 0
  return Math.ceil(bytes / bytesPerToken) + (exchange.asked?.maxTokens ?? answerTokensGuess)
}

/** Null when nobody said what it came to: then what was reserved counts. */
function usedTokens(exchange: Exchange): number | null {
  if (exchange.usage !== null) {
    return exchange.usage.promptTokens + exchange.usage.completionTokens
  }
  // Nothing was generated for a request that no engine answered.
  return exchange.ttftMs === null ? 0 : null
}

let counter = 0
const start = Math.floor(Math.random() * 36 ** 6).toString(36)

/** The client's own id when it sent a harmless one, so that logs on both sides can be joined. */
function requestIdFrom(request: IncomingMessage): string {
  const own = request.headers['x-request-id']
  if (typeof own === 'string' && /^[\w.:-]{1,100}$/.test(own)) return own
  counter++
  return `req-${start}-${counter.toString(36)}`
}
