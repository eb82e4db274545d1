/** What is sent to an endpoint for a request: the engine's path, its name of the model, its key. */
import type { Readable } from 'node:stream'
import type { ServedModel } from '#core/endpoint.ts'
import type { AnswerRest } from '#gateway/answer-rest.ts'
import type { Endpoint } from '#gateway/endpoint.ts'
import type { Exchange } from '#gateway/exchange.ts'
import { forwardedRequestHeaders } from '#gateway/headers.ts'

/** The engine's own path for what was asked, whatever spelling of it the client used. */
export function enginePath({ request, route }: Exchange): string {
  const url = request.url ?? ''
  const question = url.indexOf('?')
  return (route.api.paths[0] ?? '') + (question === -1 ? '' : url.slice(question))
}

export function bodyFor(
  exchange: Exchange,
  served: ServedModel,
  asksUsage: boolean,
  rest: AnswerRest | null,
): { readonly content: Buffer | Readable; readonly length: number } {
  const { body, asked } = exchange
  if (body === null || asked === null) return { content: Buffer.alloc(0), length: 0 }
  const splices = []
  if (asked.modelSpan !== null && served.servedName !== asked.modelText) {
    splices.push({ ...asked.modelSpan, text: asked.writeModel(served.servedName) })
  }
  if (asked.askUsage !== null && asksUsage) splices.push(asked.askUsage)
  body.splice([...splices, ...(rest?.splices ?? [])])
  return { content: body.toSend(), length: body.sentLength }
}

export function requestHeaders(exchange: Exchange, endpoint: Endpoint, length: number): string[] {
  const headers = forwardedRequestHeaders(exchange.request.rawHeaders)
  headers.push('content-length', String(length), 'x-request-id', exchange.id)
  const { authorization } = endpoint
  if (authorization !== null) headers.push('authorization', authorization)
  return headers
}
