import { coolsUntilMs } from '#core/endpoint.ts'
import type { Filter } from '#routing/filter.ts'

/** A 429 rests one model on one endpoint, and nothing else there. */
export const notCooling: Filter = (request, endpoint) => {
  const untilMs = coolsUntilMs(endpoint, request.model)
  return untilMs > request.nowMs ? { kind: 'cooling', untilMs } : null
}
