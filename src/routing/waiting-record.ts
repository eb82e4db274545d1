import type { EndpointView } from '#core/endpoint.ts'
import type { DecisionRecord } from '#routing/decision.ts'
import type { DispatchRequest } from '#routing/dispatcher.ts'
import { firstRefusal, recordOf, routeRequest } from '#routing/route.ts'

/** What stands against each endpoint while a request has no place, as the filters see it. */
export function waitingRecord(
  request: DispatchRequest,
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
