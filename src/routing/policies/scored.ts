import type { Candidate, Policy } from '#routing/policy.ts'
import { smallestScore } from '#routing/smallest-score.ts'

/** The yardsticks against which speeds are scored: fixed ones, so a fleet of slow ones scores low. */
const goodTtftMs = 5_000

/**
 * A sum of unit-less marks: declared strength, measured time to first token against a fixed
 * yardstick, free KV cache, no queue. In the manner of Herd and of other routers that score; what
 * is in flight counts only once engines report it.
 */
export const scored: Policy = {
  name: 'scored',
  scoreMeaning: '100 − marks: strength 40, TTFT 30, free KV cache 15, no queue 15',
  pick(candidates, _request, { chance }) {
    const strongest = Math.max(...candidates.map(({ weight }) => weight))
    return smallestScore(
      candidates.map((candidate) => 100 - marks(candidate, strongest)),
      chance,
    )
  },
}

function marks({ weight, ttftMs, load }: Candidate, strongest: number): number {
  const strength = strongest === 0 ? 0 : weight / strongest
  const speed = ttftMs === null ? 1 : 1 - Math.min(1, ttftMs / goodTtftMs)
  const free = 1 - (load?.kvCacheUsageRatio ?? 0)
  const queue = 1 / (1 + (load?.waitingRequests ?? 0))
  return 40 * strength + 30 * speed + 15 * free + 15 * queue
}
