import { effectiveWeight } from '#core/endpoint.ts'
import type { Picker } from '#routing/picker.ts'

/** By chance, an endpoint of weight 3 three times as often as one of weight 1. */
export const random: Picker = {
  name: 'random',
  scoreMeaning: 'nothing is compared: chance decides, by weight',
  pick(candidates, _request, chance) {
    return {
      chosen: drawByWeight(candidates.map(effectiveWeight), chance()),
      scores: candidates.map(() => null),
    }
  },
  pickPlace: ({ weights }, _turnNow, chance) => drawPlace(weights, chance),
}

/** The same from a table; -1 where nothing has any weight. */
export function drawPlace(weights: Float64Array, chance: () => number): number {
  const at = drawByWeight(weights, chance())
  return weights[at] === 0 ? -1 : at
}

/** The index on which a draw in [0, 1) lands when each takes room by its weight. */
export function drawByWeight(weights: ArrayLike<number>, draw: number): number {
  let sum = 0
  for (let index = 0; index < weights.length; index++) sum += weights[index] as number
  let left = draw * sum
  for (let index = 0; index < weights.length; index++) {
    left -= weights[index] as number
    if (left < 0) return index
  }
  return weights.length - 1
}
