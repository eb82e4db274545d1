import { MotleyError } from '#core/errors.ts'
import type { Exchange } from '#gateway/exchange.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'

/** How long a request waits for endpoints that were just added to say what they serve. */
const firstReportsMs = 3_000

/**
 * Resolves when an endpoint serves what was asked, when all have been asked, or when waiting for
 * that takes too long: what a new endpoint serves is known after its first check.
 */
export function firstReports(state: GatewayState, exchange: Exchange): Promise<void> {
  const { asked, route } = exchange
  if (asked === null || !state.fleet.endpoints.some((endpoint) => endpoint.isUnchecked)) {
    return Promise.resolve()
  }
  return new Promise((resolve, reject) => {
    const over = (): void => {
      exchange.underWay = null
      resolve()
    }
    const leave = state.queue.enqueue(
      {
        model: asked.model,
        tryNow() {
          const model = state.fleet.resolve(asked.modelText)
          const served = state.fleet.serving(model, route.task).length > 0
          const known = !state.fleet.endpoints.some((endpoint) => endpoint.isUnchecked)
          if (served || known) over()
          return served || known
        },
        onTimeout: over,
      },
      { maxRequests: state.config.gateway.queue.maxRequests, timeoutMs: firstReportsMs },
    )
    exchange.underWay = {
      clientGone() {
        leave()
        over()
      },
      shutDown() {
        leave()
        exchange.underWay = null
        reject(new MotleyError('draining', null, { retryAfterSeconds: 1 }))
      },
    }
  })
}
