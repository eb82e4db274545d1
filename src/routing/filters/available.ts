import type { EndpointState } from '#core/endpoint.ts'
import type { Filter, Refusal } from '#routing/filter.ts'

const refusals = {
  loading: { kind: 'state', state: 'loading' },
  failed: { kind: 'state', state: 'failed' },
  draining: { kind: 'state', state: 'draining' },
} as const satisfies Record<string, Refusal>
const probing = { kind: 'probing' } as const
const weightZero = { kind: 'weight-zero' } as const

/** Whether nothing goes to an endpoint in this state, whatever else holds. */
export function isClosed(state: EndpointState): state is keyof typeof refusals {
  return state === 'loading' || state === 'failed' || state === 'draining'
}

/**
 * Only endpoints that take requests now: ready and busy ones, and failing ones for one probe at a
 * time. Busy stays in: an engine deep in a long prefill answers its health check late and still
 * does its work; whether it has room is the matter of `has-room`.
 */
export const available: Filter = (_request, { state, probeInFlight, weight }) => {
  if (isClosed(state)) return refusals[state]
  if (state === 'failing' && probeInFlight) return probing
  return weight === 0 ? weightZero : null
}
