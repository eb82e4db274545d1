import type { Pick } from '#routing/picker.ts'

/**
 * The smallest score wins. Of equal ones the one that `tie` says is better (negative for the left),
 * else any by chance: no order of a list decides, which would send every lone request to one machine.
 */
export function smallestScore(
  scores: readonly number[],
  chance: () => number,
  tie: (left: number, right: number) => number = () => 0,
): Pick {
  let chosen = 0
  let equals = 1
  for (let index = 1; index < scores.length; index++) {
    const order = (scores[index] as number) - (scores[chosen] as number) || tie(index, chosen)
    if (order < 0) {
      chosen = index
      equals = 1
    } else if (order === 0) {
      // Reservoir sampling: each of the equal ones is kept with the same chance.
      equals++
      if (chance() * equals < 1) chosen = index
    }
  }
  return { chosen, scores }
}
