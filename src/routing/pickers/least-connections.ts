import { type EndpointView, effectiveWeight } from '#core/endpoint.ts'
import { placeOfSmallest } from '#routing/endpoint-table.ts'
import type { Picker } from '#routing/picker.ts'
import { smallestScore } from '#routing/smallest-score.ts'

/**
 * The fewest requests in flight for its weight, the new one counted: (in flight + 1) / weight.
 *
 * Counting the new request is what lets the weight decide between idle endpoints too, where
 * HAProxy's rule sees only zeros. Equal scores go to the one that was measured to be faster, then
 * to chance.
 */
export const leastConnections: Picker = {
  name: 'least-connections',
  scoreMeaning: '(requests in flight + 1) / weight',
  pick(candidates, _request, chance) {
    const ttftMs = (at: number) => candidates[at]?.ttftMs ?? Number.NaN
    return smallestScore(candidates.map(connectionsForWeight), chance, (left, right) =>
      compareTtft(ttftMs(left), ttftMs(right)),
    )
  },
  pickPlace(table, _turnNow, chance) {
    const { inFlight, weights, ttftMs } = table
    return placeOfSmallest(
      table,
      (at) => ((inFlight[at] as number) + 1) / (weights[at] as number),
      (left, right) => compareTtft(ttftMs[left] as number, ttftMs[right] as number),
      chance,
    )
  },
}

export function connectionsForWeight(endpoint: EndpointView): number {
  return (endpoint.inFlight + 1) / effectiveWeight(endpoint)
}

/**
 * Two TTFTs within a quarter of each other count as the same speed: less is noise, and noise must
 * not pin every lone request to one machine.
 */
const speedNoiseRatio = 1.25

/** NaN stands for one that is not known, and compares as equal. */
function compareTtft(leftMs: number, rightMs: number): number {
  if (leftMs * speedNoiseRatio < rightMs) return -1
  if (rightMs * speedNoiseRatio < leftMs) return 1
  return 0
}
