/**
 * The life of one API request, in order:
 *
 *   authenticate   whose key is it, and may it come in
 *   receive        the body, whole, so that it can be sent again; which model, stream or not
 *   admit          what the key may use is there
 *   forward        an endpoint, and another one if that fails; the answer is relayed as it comes
 *   account        counted, logged and freed, however it ended
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { MotleyError } from '#core/errors.ts'
import type { ApiRoute } from '#gateway/api-table.ts'
import { asMotleyError, sendError, sendErrorEvent } from '#gateway/client-error.ts'
import { Exchange } from '#gateway/exchange.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import type { Admission } from '#gateway/key-ring.ts'
import { sendPings } from '#gateway/pings.ts'
import { ClientGoneError } from '#gateway/request-body.ts'
import { requestIdOf } from '#gateway/request-id.ts'
import { account } from '#gateway/stages/account.ts'
import { admit, usedTokens } from '#gateway/stages/admit.ts'
import { presentedKey } from '#gateway/stages/authenticate.ts'
import { forward } from '#gateway/stages/forward.ts'
import { receive } from '#gateway/stages/receive.ts'

export async function serveApi(
  state: GatewayState,
  route: ApiRoute,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const exchange = new Exchange({
    id: requestIdOf(request),
    request,
    response,
    route,
    startedMs: state.nowMs(),
  })
  state.running.add(exchange)
  let admission: Admission | null = null
  try {
    exchange.key = state.keys.authenticate(presentedKey(request.headers))
    if (state.draining) throw new MotleyError('draining', null, { retryAfterSeconds: 1 })
    exchange.asked = await receive(state, exchange)
    admission = admit(state, exchange)
    const stopPings = sendPings(exchange, state.config.gateway.pingMs)
    try {
      await forward(state, exchange)
    } finally {
      stopPings()
    }
  } catch (error) {
    if (!(error instanceof ClientGoneError) && !exchange.clientGone) tell(state, exchange, error)
  } finally {
    admission?.release(usedTokens(exchange))
    exchange.body?.dispose()?.catch((error: unknown) => state.reportBug(exchange.id, error))
    state.running.delete(exchange)
    account(state, exchange)
  }
}

function tell(state: GatewayState, exchange: Exchange, error: unknown): void {
  const { request, response, route } = exchange
  const told = asMotleyError(error)
  exchange.errorCode = told.code
  exchange.errorMessage = told.message
  if (told.code === 'internal_error') state.reportBug(exchange.id, told.cause)
  if (response.headersSent) {
    sendErrorEvent(response, route.api, told, state.config.gateway.writeStallMs)
    return
  }
  const attempts = exchange.attemptsBegun
  sendError(response, route.api, told, [
    'x-request-id',
    exchange.id,
    ...(attempts === 0 ? [] : ['x-motley-attempts', String(attempts)]),
    // What is still on its way belongs to a request that was refused: it is not read.
    ...(request.complete ? [] : ['connection', 'close']),
  ])
}
