import { heldTokensMax } from '#routing/policies/held-tokens.ts'
import type { Candidate, Policy } from '#routing/policy.ts'
import { PrefixIndex } from '#routing/prefix-index.ts'

/** An endpoint that holds more than this part of the prompt gets it. SGLang's router: 0.3. */
const matchRatioMin = 0.3
/** Loads that differ by more than both of these are put right first. SGLang's router: 64 and 1.5. */
const imbalanceRequests = 64
const imbalanceRatio = 1.5

/**
 * The endpoint that holds the longest part of the prompt, unless loads are far apart; without a
 * match worth having, the least loaded. As SGLang's cache-aware router with its default
 * thresholds, load being requests in flight.
 */
export function prefix(): Policy {
  const index = new PrefixIndex()
  return {
    name: 'prefix',
    scoreMeaning: 'part of the prompt to compute, or requests in flight where loads are far apart',
    pick(candidates, { prefixBlocks }) {
      const loads = candidates.map(({ inFlight }) => inFlight)
      const most = Math.max(...loads)
      const least = Math.min(...loads)
      const leastLoaded = { chosen: loads.indexOf(least), scores: loads }
      if (most - least > imbalanceRequests && most > imbalanceRatio * least) return leastLoaded
      if (prefixBlocks.length === 0) return leastLoaded
      const scores = candidates.map(
        ({ id }) => 1 - index.held(id, prefixBlocks) / prefixBlocks.length,
      )
      const best = Math.min(...scores)
      return 1 - best > matchRatioMin ? { chosen: scores.indexOf(best), scores } : leastLoaded
    },
    sent: ({ id }: Candidate, { prefixBlocks, prefixBlockTokens }) =>
      index.add(id, prefixBlocks, Math.ceil(heldTokensMax / prefixBlockTokens)),
    forget: (id) => index.forget(id),
  }
}
