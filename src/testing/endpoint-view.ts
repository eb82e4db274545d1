import type { EndpointView } from '#core/endpoint.ts'
import { endpointId } from '#core/ids.ts'

/** An idle, ready endpoint, but for what the test says. */
export function endpointView(name: string, more: Partial<EndpointView> = {}): EndpointView {
  return {
    id: endpointId(name),
    state: 'ready',
    weight: 1,
    slowStartRatio: 1,
    inFlight: 0,
    maxInFlight: null,
    probeInFlight: false,
    coolingUntilMs: new Map(),
    ttftMs: null,
    turn: 0,
    labels: {},
    ...more,
  }
}
