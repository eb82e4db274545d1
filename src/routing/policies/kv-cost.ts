import { heldTokensMax } from '#routing/policies/held-tokens.ts'
import type { Policy } from '#routing/policy.ts'
import { PrefixIndex } from '#routing/prefix-index.ts'
import { smallestScore } from '#routing/smallest-score.ts'

/** Costs are compared in blocks of this many tokens. */
const blockTokens = 16

/**
 * Blocks of prompt to compute there, those pending included, plus blocks of context in use there.
 * As NVIDIA Dynamo's KV router with overlap weight 1 and temperature 0. It counts work, not the
 * time an endpoint needs for it.
 */
export function kvCost(): Policy {
  const index = new PrefixIndex()
  return {
    name: 'kv-cost',
    scoreMeaning: 'blocks of prompt to compute + blocks of context in use',
    pick(candidates, { prefixBlocks, prefixBlockTokens, promptTokens }, { chance }) {
      const scores = candidates.map(({ id, prefillTokens, contextTokens }) => {
        const hit = index.held(id, prefixBlocks) * prefixBlockTokens
        const prefill = prefillTokens + Math.max(1, promptTokens - hit)
        return (
          Math.ceil(prefill / blockTokens) + Math.ceil((contextTokens + promptTokens) / blockTokens)
        )
      })
      return smallestScore(scores, chance)
    },
    sent: ({ id }, { prefixBlocks, prefixBlockTokens }) =>
      index.add(id, prefixBlocks, Math.ceil(heldTokensMax / prefixBlockTokens)),
    forget: (id) => index.forget(id),
  }
}
