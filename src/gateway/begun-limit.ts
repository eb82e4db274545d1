/** Which of the endpoints of a model go on with an answer that broke off elsewhere. */
import type { ModelName } from '#core/ids.ts'
import type { Exchange } from '#gateway/exchange.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import type { Constraint } from '#routing/constraint.ts'

/** `constraint` with what that adds to it: nothing while no answer has broken off. */
export function withBegunLimit(
  state: GatewayState,
  { brokeOff, soFar, route }: Exchange,
  model: ModelName,
  constraint: Constraint | null,
): Constraint | null {
  if (brokeOff === null) return constraint
  const unable = new Set(
    state.fleet
      .serving(model, route.task)
      .filter((endpoint) => soFar?.canGoOnAt(endpoint) !== true)
      .map(({ id }) => id),
  )
  if (unable.size === 0) return constraint
  return {
    group: `${constraint?.group ?? ''} begun ${[...unable].join(' ')}`,
    refuse: (id) => constraint?.refuse(id) ?? (unable.has(id) ? { kind: 'begun' } : null),
    misses: (id) => constraint?.misses(id) ?? 0,
  }
}
