/** Sizes of a request, and what it asks for. */
export interface RequestSize {
  /** Null, or left out, where requests name none. */
  readonly model?: string | null
  readonly promptTokens: number
  readonly outputTokens: number
}

/** Requests of about the same size, and what one of them costs an engine on average. */
export interface RequestBucket {
  /** Of all its requests, or one of several that the same endpoints serve. */
  readonly model: string | null
  /** Part of all requests. */
  readonly share: number
  readonly promptTokensMin: number
  readonly promptTokens: number
  /** Steps in which one decodes: its tokens but for the first. */
  readonly decodeSteps: number
  /** Context that these steps attend to, all together; also what it holds of the cache, by steps. */
  readonly decodeContextTokens: number
  /** Pairs of a prompt token and one it attends to. */
  readonly prefillTokenPairs: number
}

/**
 * Requests that the same endpoints serve, sorted by prompt length and cut at these parts of them, and
 * each piece again by answer length; `all` is how many there are together with others.
 */
export function bucketsOf(
  requests: readonly RequestSize[],
  promptCuts: readonly number[],
  outputCuts: readonly number[],
  all = requests.length,
): RequestBucket[] {
  const byPrompt = [...requests].sort((a, b) => a.promptTokens - b.promptTokens)
  return piecesOf(byPrompt, promptCuts).flatMap((piece) => {
    const byOutput = [...piece].sort((a, b) => a.outputTokens - b.outputTokens)
    return piecesOf(byOutput, outputCuts).map((bucket) => bucketOf(bucket, all))
  })
}

function bucketOf(requests: readonly RequestSize[], all: number): RequestBucket {
  const mean = (value: (size: RequestSize) => number) =>
    requests.reduce((sum, one) => sum + value(one), 0) / requests.length
  const steps = ({ outputTokens }: RequestSize) => Math.max(0, outputTokens - 1)
  // Averages of products, not products of averages: the bound stays one for uneven requests.
  return {
    model: requests[0]?.model ?? null,
    share: requests.length / all,
    promptTokensMin: Math.min(...requests.map((one) => one.promptTokens)),
    promptTokens: mean((one) => one.promptTokens),
    decodeSteps: mean(steps),
    decodeContextTokens: mean((one) => steps(one) * (one.promptTokens + one.outputTokens / 2)),
    prefillTokenPairs: mean((one) => one.promptTokens ** 2 / 2),
  }
}

function piecesOf<Item>(items: readonly Item[], cuts: readonly number[]): Item[][] {
  const ends = [...cuts, 1].map((cut) => Math.round(cut * items.length))
  return ends
    .map((end, at) => items.slice(ends[at - 1] ?? 0, end))
    .filter((piece) => piece.length > 0)
}
