/** Names requests, so that logs on both sides and `motley why` speak of the same one. */
import type { IncomingMessage } from 'node:http'
import { type RequestId, requestId } from '#core/ids.ts'

let counter = 0
const start = Math.floor(Math.random() * 36 ** 6).toString(36)

/** The client's own id when it sent a harmless one, or a new one. */
export function requestIdOf(request: IncomingMessage): RequestId {
  const own = request.headers['x-request-id']
  if (typeof own === 'string' && /^[\w.:-]{1,100}$/.test(own)) return requestId(own)
  counter++
  return requestId(`req-${start}-${counter.toString(36)}`)
}
