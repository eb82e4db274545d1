/** Waiting in the gateway's queue for something to be there at all. */
import { MotleyError } from '#core/errors.ts'
import type { ModelName } from '#core/ids.ts'
import type { Exchange } from '#gateway/exchange.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'

export type Waited = 'there' | 'too-late' | 'client-gone'

/** Asked with every report of an endpoint; what comes without one is seen this much later at most. */
const lookMs = 1_000

/** Throws `queue_full`; rejects with `draining` when the gateway stops. */
export function untilThere(
  state: GatewayState,
  exchange: Exchange,
  so: {
    readonly model: ModelName
    readonly isThere: () => boolean
    readonly timeoutMs: number
    /** False waits for a report first, where whoever asks knows that it is not there. */
    readonly looksAtOnce?: boolean
  },
): Promise<Waited> {
  if (exchange.clientGone) return Promise.resolve('client-gone')
  if (so.looksAtOnce !== false && so.isThere()) return Promise.resolve('there')
  const { maxRequests } = state.config.gateway.queue
  return new Promise((resolve, reject) => {
    const over = (): void => {
      clearInterval(timer)
      leave()
      exchange.underWay = null
    }
    const end = (waited: Waited): void => {
      over()
      resolve(waited)
    }
    const tryNow = (): boolean => {
      if (!so.isThere()) return false
      end('there')
      return true
    }
    const leave = state.queue.enqueue(
      { model: so.model, tryNow, onTimeout: () => end('too-late') },
      { maxRequests, timeoutMs: so.timeoutMs },
    )
    const timer = setInterval(() => {
      state.tick()
      tryNow()
    }, lookMs)
    exchange.underWay = {
      sinceMs: state.nowMs(),
      waitsFor: { kind: 'endpoint' },
      clientGone: () => end('client-gone'),
      shutDown() {
        over()
        reject(new MotleyError('draining', null, { retryAfterSeconds: 1 }))
      },
    }
  })
}
