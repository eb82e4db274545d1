import { effectiveWeight } from '#core/endpoint.ts'
import type { Picker } from '#routing/picker.ts'
import { connectionsForWeight } from '#routing/pickers/least-connections.ts'
import { drawByWeight, drawPlace } from '#routing/pickers/random.ts'

/**
 * Two drawn by weight, the less loaded of them. Drawing by weight matters: drawn evenly, a fast
 * endpoint among slow ones is seen too rarely to carry its share (arXiv 2004.00538).
 */
export const powerOfTwo: Picker = {
  name: 'power-of-two',
  scoreMeaning: '(requests in flight + 1) / weight, of the two that were drawn',
  pick(candidates, _request, chance) {
    const weights = candidates.map(effectiveWeight)
    const first = drawByWeight(weights, chance())
    const scores: (number | null)[] = candidates.map(() => null)
    scores[first] = connectionsForWeight(candidates[first] as (typeof candidates)[number])
    if (candidates.length === 1) return { chosen: first, scores }
    const second = drawByWeight(weights.with(first, 0), chance())
    scores[second] = connectionsForWeight(candidates[second] as (typeof candidates)[number])
    return {
      chosen: (scores[second] as number) < (scores[first] as number) ? second : first,
      scores,
    }
  },
  pickPlace({ inFlight, weights }, _turnNow, chance) {
    const first = drawPlace(weights, chance)
    // The same one twice is as seldom as there are many.
    const second = drawPlace(weights, chance)
    if (first === -1 || second === -1) return first
    const scoreAt = (at: number): number => ((inFlight[at] as number) + 1) / (weights[at] as number)
    return scoreAt(second) < scoreAt(first) ? second : first
  },
}
