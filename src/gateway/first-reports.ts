import type { Exchange } from '#gateway/exchange.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import { untilThere } from '#gateway/until-there.ts'

/** How long a request waits for endpoints that were just added to say what they serve. */
const firstReportsMs = 3_000

/**
 * Resolves when an endpoint serves what was asked, when all have been asked, or when waiting for
 * that takes too long: what a new endpoint serves is known after its first check.
 */
export async function firstReports(state: GatewayState, exchange: Exchange): Promise<void> {
  const { asked, route } = exchange
  if (asked === null) return
  await untilThere(state, exchange, {
    model: asked.model,
    timeoutMs: firstReportsMs,
    isThere() {
      if (!state.fleet.endpoints.some((endpoint) => endpoint.isUnchecked)) return true
      const model = state.fleet.resolve(asked.modelText)
      return state.fleet.serving(model, route.task).length > 0
    },
  })
}
