import { heldTokensMax } from '#routing/policies/held-tokens.ts'
import type { Policy } from '#routing/policy.ts'
import { PrefixIndex } from '#routing/prefix-index.ts'
import { smallestScore } from '#routing/smallest-score.ts'

/**
 * Prompt tokens to compute, what is pending there included, times the requests there: a product of
 * cache and load, without a threshold between them. As `lmetric` of SGLang's router.
 */
export function prefixLoad(): Policy {
  const index = new PrefixIndex()
  return {
    name: 'prefix-load',
    scoreMeaning: 'prompt tokens to compute × (requests in flight + 1)',
    pick(candidates, { prefixBlocks, prefixBlockTokens, promptTokens }, { chance }) {
      const scores = candidates.map(({ id, inFlight, prefillTokens }) => {
        const hit = index.held(id, prefixBlocks) * prefixBlockTokens
        return (prefillTokens + Math.max(1, promptTokens - hit)) * (inFlight + 1)
      })
      return smallestScore(scores, chance)
    },
    sent: ({ id }, { prefixBlocks, prefixBlockTokens }) =>
      index.add(id, prefixBlocks, Math.ceil(heldTokensMax / prefixBlockTokens)),
    forget: (id) => index.forget(id),
  }
}
