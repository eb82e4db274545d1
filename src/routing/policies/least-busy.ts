import { placeOfSmallest } from '#routing/endpoint-table.ts'
import type { Policy } from '#routing/policy.ts'

/**
 * The fewest requests in flight, the first in the list among equals; neither weight nor the size
 * of a request counts. As LiteLLM's `least-busy`, which takes the first strict minimum of a
 * dictionary of counts.
 */
export const leastBusy: Policy = {
  name: 'least-busy',
  scoreMeaning: 'requests in flight',
  pick(candidates) {
    const scores = candidates.map(({ inFlight }) => inFlight)
    return { chosen: scores.indexOf(Math.min(...scores)), scores }
  },
  pickPlace(table) {
    const { inFlight } = table
    return placeOfSmallest(
      table,
      (at) => inFlight[at] as number,
      () => 0,
      null,
    )
  },
}
