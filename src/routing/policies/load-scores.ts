import type { Candidate, Policy } from '#routing/policy.ts'
import { PrefixIndex } from '#routing/prefix-index.ts'
import { smallestScore } from '#routing/smallest-score.ts'

/** The default profile of the Gateway API Inference Extension. */
const queueWeight = 2
const kvCacheWeight = 2
const prefixWeight = 3
/** Its prefix index: 31,250 blocks of 16 tokens for each endpoint. */
const heldTokensMax = 500_000

/**
 * A weighted sum of three scores between 0 and 1: waiting requests relative to the other
 * candidates, free KV cache, and held part of the prompt. As the default profile of the
 * Gateway API Inference Extension and llm-d, from what engines report; an endpoint that reports
 * nothing counts as idle.
 */
export function loadScores(): Policy {
  const index = new PrefixIndex()
  return {
    name: 'load-scores',
    scoreMeaning: '7 − (2 × shortest queue + 2 × free KV cache + 3 × held part of the prompt)',
    pick(candidates, { prefixBlocks }, { chance }) {
      const queues = candidates.map(({ load }) => load?.waitingRequests ?? 0)
      const longest = Math.max(...queues)
      const span = longest - Math.min(...queues)
      const scores = candidates.map(({ id, load }, at) => {
        const queue = span === 0 ? 1 : (longest - (queues[at] as number)) / span
        const free = 1 - (load?.kvCacheUsageRatio ?? 0)
        const held =
          prefixBlocks.length === 0 ? 0 : index.held(id, prefixBlocks) / prefixBlocks.length
        return 7 - (queueWeight * queue + kvCacheWeight * free + prefixWeight * held)
      })
      return smallestScore(scores, chance)
    },
    sent({ id }: Candidate, { prefixBlocks, prefixBlockTokens }) {
      index.add(id, prefixBlocks, Math.ceil(heldTokensMax / prefixBlockTokens))
    },
    forget: (id) => index.forget(id),
  }
}
