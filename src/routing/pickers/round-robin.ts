import { type EndpointView, effectiveWeight } from '#core/endpoint.ts'
import { placeOfSmallest } from '#routing/endpoint-table.ts'
import type { Picker } from '#routing/picker.ts'

/**
 * In turn, an endpoint of weight 3 three times as often as one of weight 1, spread evenly.
 *
 * This is start-time fair queueing with requests of size one. Each endpoint carries the finish tag
 * of its last turn; the next turn starts there, or now if that is past, so that an endpoint which
 * was away gets its share from now on and not a flood of the turns it missed.
 *
 *   weight 2  a ▌0────▌½────▌1────▌    order: a b a a b a a b …
 *   weight 1  b ▌0──────────▌1─────
 */
export const roundRobin: Picker = {
  name: 'round-robin',
  scoreMeaning: 'when its next turn starts, in turns of a weight of 1',
  pick(candidates, request) {
    const scores = candidates.map((endpoint) => turnStart(endpoint, request.turnNow))
    let chosen = 0
    for (let index = 1; index < scores.length; index++) {
      if ((scores[index] as number) < (scores[chosen] as number)) chosen = index
    }
    return { chosen, scores }
  },
  pickPlace(table, turnNow) {
    const { turns } = table
    const startAt = (at: number): number => Math.max(turns[at] as number, turnNow)
    return placeOfSmallest(table, startAt, () => 0, null)
  },
}

function turnStart(endpoint: EndpointView, turnNow: number): number {
  return Math.max(endpoint.turn, turnNow)
}

/** What the gateway keeps after it obeyed a pick, whichever picker made it. */
export function takeTurn(
  endpoint: EndpointView,
  turnNow: number,
): { readonly turn: number; readonly turnNow: number } {
  const start = turnStart(endpoint, turnNow)
  return { turn: start + 1 / Math.max(effectiveWeight(endpoint), 1e-6), turnNow: start }
}
