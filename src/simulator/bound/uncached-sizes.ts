import type { RequestSize } from '#simulator/bound/request-bucket.ts'
import type { Trace } from '#simulator/traces/trace.ts'

/**
 * What engines would have to compute of each request if they forgot nothing: blocks that an earlier
 * request had are taken off its prompt. What is left also attends to less than it does in truth, so
 * that a bound made of these sizes stays one.
 */
export function uncachedSizes({ requests, prefixBlockTokens }: Trace): readonly RequestSize[] {
  const seen = new Set<number>()
  return requests.map(({ model, promptTokens, outputTokens, prefixHashes }) => {
    const fresh = prefixHashes.findIndex((hash) => !seen.has(hash))
    const held = fresh === -1 ? prefixHashes.length : fresh
    for (const hash of prefixHashes) seen.add(hash)
    return {
      model,
      promptTokens: Math.max(1, promptTokens - held * prefixBlockTokens),
      outputTokens: Math.max(1, outputTokens),
    }
  })
}
