/** Takes a request's body, whole, and reads from it what was asked. */
import { MotleyError } from '#core/errors.ts'
import type { AskedFor, Exchange } from '#gateway/exchange.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import { type RequestBody, receiveBody } from '#gateway/request-body.ts'
import { type ModelNames, parseFormRequest, parseJsonRequest } from '#gateway/stages/parse.ts'
import { MultipartFieldFinder, multipartBoundary } from '#std/multipart-field-finder.ts'

/** Sets `exchange.body`; throws what is wrong with the body or with what it asks. */
export async function receive(state: GatewayState, exchange: Exchange): Promise<AskedFor> {
  const { request, route } = exchange
  const { limits } = state.config.gateway
  const names: ModelNames = {
    resolve: (name) => state.fleet.resolve(name),
    only: state.fleet.models.size === 1 ? (state.fleet.models.keys().next().value ?? null) : null,
  }
  if (route.api.body === 'multipart') {
    const type = request.headers['content-type'] ?? 'nothing'
    const boundary = multipartBoundary(type)
    if (boundary === null) {
      throw new MotleyError(
        'invalid_request',
        `${route.api.paths[0]} takes multipart/form-data with a boundary, this is "${type.slice(0, 80)}".`,
      )
    }
    const finder = new MultipartFieldFinder(boundary)
    exchange.body = await body(exchange, limits.uploadBytes, limits.memoryBytes, (piece) =>
      finder.push(piece),
    )
    return parseFormRequest(route.api, finder, names)
  }
  exchange.body = await body(exchange, limits.jsonBytes, limits.memoryBytes)
  return parseJsonRequest(route.api, exchange.body.inMemory ?? (await exchange.body.bytes()), names)
}

function body(
  exchange: Exchange,
  maxBytes: number,
  memoryBytes: number,
  look?: (piece: Buffer) => void,
): Promise<RequestBody> {
  const { headers } = exchange.request
  const announcedBytes = Number(headers['content-length'] ?? 0)
  if (announcedBytes > maxBytes) {
    throw new MotleyError(
      'request_too_large',
      `The request body has ${announcedBytes} bytes; this path takes ${maxBytes}.`,
    )
  }
  const coding = headers['transfer-encoding']?.trim().toLowerCase() ?? 'chunked'
  if (coding !== 'chunked') {
    throw new MotleyError(
      'unsupported_encoding',
      `Transfer-Encoding "${coding.slice(0, 40)}" is not understood; send chunked, or a Content-Length.`,
    )
  }
  if (headers.expect !== undefined) exchange.response.writeContinue()
  return receiveBody(exchange.request, { maxBytes, memoryBytes }, look)
}
