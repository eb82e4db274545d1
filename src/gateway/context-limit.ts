/** Which of the endpoints of a model hold a prompt, where they do not all hold as much. */
import type { ModelName } from '#core/ids.ts'
import { isInWords } from '#core/task.ts'
import { promptTokensOf } from '#gateway/dispatch-request.ts'
import type { Exchange } from '#gateway/exchange.ts'
import { servedModel } from '#gateway/fleet.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import type { Constraint } from '#routing/constraint.ts'
import { withContextRoom } from '#routing/context-room.ts'

/** `constraint` with what contexts add to it. Most requests are shorter than any context. */
export function withContextLimit(
  state: GatewayState,
  exchange: Exchange,
  model: ModelName,
  constraint: Constraint | null,
): Constraint | null {
  const shortest = state.fleet.shortestContext(model)
  if (shortest === null || !isInWords(exchange.route.task)) return constraint
  // The most that an answer may have is no need: many clients allow as much as they can, always.
  const neededTokens = promptTokensOf(state, exchange, model)
  if (neededTokens <= shortest) return constraint
  // What takes nothing new holds nothing either, however long its context is.
  const serving = state.fleet
    .serving(model, exchange.route.task)
    .filter((endpoint) => endpoint.weight > 0 && endpoint.state !== 'draining')
  const contexts = serving.map(
    (endpoint) => [endpoint.id, servedModel(endpoint, model)?.contextTokens ?? null] as const,
  )
  return withContextRoom(constraint, neededTokens, new Map(contexts))
}
