import type { Filter, Refusal } from '#routing/filter.ts'

const refusals = {
  loading: { kind: 'state', state: 'loading' },
  failed: { kind: 'state', state: 'failed' },
  draining: { kind: 'state', state: 'draining' },
} as const satisfies Record<string, Refusal>
const probing = { kind: 'probing' } as const
const weightZero = { kind: 'weight-zero' } as const

/**
 * Only endpoints that take requests now: ready and busy ones, and failing ones for one probe at a
 * time. Busy stays in: an engine deep in a long prefill answers its health check late and still
 * does its work; whether it has room is the matter of `has-room`.
 */
export const available: Filter = {
  name: 'available',
  refuse(_request, endpoint) {
    switch (endpoint.state) {
      case 'loading':
      case 'failed':
      case 'draining':
        return refusals[endpoint.state]
      case 'failing':
        if (endpoint.probeInFlight) return probing
        break
      case 'ready':
      case 'busy':
        break
    }
    return endpoint.weight === 0 ? weightZero : null
  },
}
