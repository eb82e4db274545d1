/**
 * An answer has begun, and nobody can go on with it now: a machine that comes back may. Who has
 * heard nothing yet is told by a status, and asks again; who has half a stream does not.
 */
import type { EndpointState } from '#core/endpoint.ts'
import type { ModelName } from '#core/ids.ts'
import type { Endpoint } from '#gateway/endpoint.ts'
import type { Exchange } from '#gateway/exchange.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import { untilThere } from '#gateway/until-there.ts'
import type { Constraint } from '#routing/constraint.ts'

const answering: ReadonlySet<EndpointState> = new Set(['ready', 'busy', 'failing'])

/** Whether somebody can, after waiting for it. */
export async function waitForReturn(
  state: GatewayState,
  exchange: Exchange,
  so: {
    readonly model: ModelName
    readonly constraint: Constraint | null
    /** When the whole request must be over. */
    readonly totalAtMs: number
  },
): Promise<boolean> {
  const { brokeOff, soFar, route } = exchange
  const { returnMs } = state.config.gateway.retries
  if (returnMs === 0) return false
  const mayGoOn = (endpoint: Endpoint): boolean =>
    // Of what broke off before its first byte, anybody can tell all.
    (brokeOff === null || soFar?.canGoOnAt(endpoint) === true) &&
    (so.constraint?.refuse(endpoint.id) ?? null) === null
  const serving = (): readonly Endpoint[] => state.fleet.serving(so.model, route.task)
  const able = serving().filter(mayGoOn)
  // Of a model that nobody serves now, who comes may be another.
  if (serving().length > 0 && able.length === 0) return false
  const startedMs = state.tick()
  // What was known of them is of the time before.
  for (const { id } of able) state.suspect(id)
  const waited = await untilThere(state, exchange, {
    model: so.model,
    timeoutMs: Math.max(0, Math.min(returnMs, so.totalAtMs - startedMs)),
    isThere: () =>
      serving().some((endpoint) => isWellSince(endpoint, startedMs) && mayGoOn(endpoint)),
  })
  const waitedMs = state.nowMs() - startedMs
  exchange.queueMs += waitedMs
  exchange.awayMs += waitedMs
  return waited === 'there'
}

/** As a check has said; of who is not checked, what is known of it is all there is. */
function isWellSince({ state, health, config }: Endpoint, sinceMs: number): boolean {
  return answering.has(state) && (health.aliveAtMs > sinceMs || !config.health.enabled)
}
