import type { Filter } from '#routing/filter.ts'

/** No more than `maxInFlight` at a time; the rest waits in the gateway, where it can still move. */
export const hasRoom: Filter = (_request, { inFlight, maxInFlight }) =>
  maxInFlight !== null && inFlight >= maxInFlight ? { kind: 'full', inFlight, maxInFlight } : null
