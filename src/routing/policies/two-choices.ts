import type { Candidate, Policy } from '#routing/policy.ts'

/**
 * Two drawn evenly, the one with fewer requests in flight. As SGLang's router `power_of_two`: the
 * textbook form, which assumes equal endpoints. `power-of-two` is the form for unequal ones.
 */
export const twoChoices: Policy = {
  name: 'two-choices',
  scoreMeaning: 'requests in flight, of the two that were drawn',
  pick(candidates, _request, { chance }) {
    const scores: (number | null)[] = candidates.map(() => null)
    const first = Math.floor(chance() * candidates.length)
    const step = 1 + Math.floor(chance() * (candidates.length - 1))
    const second = candidates.length === 1 ? first : (first + step) % candidates.length
    for (const one of [first, second]) scores[one] = (candidates[one] as Candidate).inFlight
    return {
      chosen: (scores[second] as number) < (scores[first] as number) ? second : first,
      scores,
    }
  },
  pickPlace({ size, inFlight, weights }, { chance }) {
    const first = Math.floor(chance() * size)
    const second = (first + 1 + Math.floor(chance() * (size - 1))) % size
    // One that takes nothing: then those that do are drawn from one by one.
    if (weights[first] === 0 || weights[second] === 0) return -1
    return (inFlight[second] as number) < (inFlight[first] as number) ? second : first
  },
}
