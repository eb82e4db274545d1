/** Of a request that has no place yet: what it waits for, and the record that says so. */
import type { EndpointView } from '#core/endpoint.ts'
import type { DecisionRecord } from '#routing/decision.ts'
import type { DispatchRequest, FilteredRequest } from '#routing/dispatcher.ts'
import { firstRefusal, recordOf, routeRequest } from '#routing/route.ts'

/**
 * `held`: filters let it go somewhere, and only a prediction says that it had better wait. `full`:
 * somebody who may take it is at the limit. `down`: nobody who is at work may take it.
 */
export type WaitingFor = 'held' | 'full' | 'down'

export function waitingFor(
  request: DispatchRequest,
  endpoints: readonly EndpointView[],
  nowMs: number,
): WaitingFor {
  const asked = routeRequest(request, nowMs)
  let reason: WaitingFor = 'down'
  for (const endpoint of endpoints) {
    const refusal = firstRefusal(asked, endpoint)
    if (refusal === null) return 'held'
    if (refusal.kind === 'full') reason = 'full'
  }
  return reason
}

/** What stands against each endpoint while a request has no place, as the filters see it. */
export function waitingRecord(
  request: FilteredRequest,
  endpoints: readonly EndpointView[],
  strategy: string,
  nowMs: number,
): DecisionRecord {
  const asked = routeRequest(request, nowMs)
  return recordOf(
    asked,
    endpoints,
    endpoints.map((endpoint) => firstRefusal(asked, endpoint)),
    { name: strategy, scoreMeaning: '' },
    null,
  )
}
