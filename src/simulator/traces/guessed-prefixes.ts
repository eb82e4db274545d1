/** A request of a log, with what its engine had of the prompt in its cache. */
export interface CachedRequest {
  readonly endedAtMs: number
  readonly totalMs: number
  readonly endpoint: string | null
  readonly model: string | null
  readonly client: string | null
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly completionTokens: number
}

/** Small enough for a system prompt to show, large enough that long prompts are no long lists. */
export const prefixBlockTokens = 64

/** Further back, an engine has something else in its cache. */
const rememberedMax = 64

/**
 * How prompts may have begun, as blocks, where a log tells how many of their tokens were in a cache
 * and not whose. A prompt is taken to go on from one that the same endpoint answered for the same
 * client: of those that were long enough, from the one that it continues most exactly, as the next
 * turn of a conversation does. Empty where no prompt was in a cache.
 */
export function guessedPrefixes(requests: readonly CachedRequest[]): readonly number[][] {
  if (requests.every(({ cachedTokens }) => cachedTokens < prefixBlockTokens)) return []
  const prefixes: number[][] = requests.map(() => [])
  const remembered = new Map<string, Remembered[]>()
  let nextBlock = 1
  const inOrder = [...requests.entries()].sort(
    ([, one], [, other]) => one.endedAtMs - one.totalMs - other.endedAtMs + other.totalMs,
  )
  for (const [at, request] of inOrder) {
    const { promptTokens, completionTokens, cachedTokens } = request
    const key = JSON.stringify([request.endpoint, request.model, request.client])
    const others = remembered.get(key) ?? []
    remembered.set(key, others)
    const sharedBlocks = Math.floor(Math.min(cachedTokens, promptTokens) / prefixBlockTokens)
    const source = sharedBlocks === 0 ? null : nearest(others, cachedTokens)
    const blocks = source === null ? [] : (prefixes[source.at] as number[]).slice(0, sharedBlocks)
    while (blocks.length < Math.floor(promptTokens / prefixBlockTokens)) blocks.push(nextBlock++)
    prefixes[at] = blocks
    others.push({ at, tokens: promptTokens + completionTokens })
    if (others.length > rememberedMax) others.shift()
  }
  return prefixes
}

interface Remembered {
  readonly at: number
  /** What its engine had computed in the end. */
  readonly tokens: number
}

/** The shortest that is long enough, and of several such the last; else the longest. */
function nearest(others: readonly Remembered[], cachedTokens: number): Remembered | null {
  let best: Remembered | null = null
  for (const one of others) {
    if (best === null) best = one
    else if (best.tokens < cachedTokens) best = one.tokens >= best.tokens ? one : best
    else if (one.tokens >= cachedTokens && one.tokens <= best.tokens) best = one
  }
  return best
}
