/** Sizes of a request. */
export interface RequestSize {
  readonly promptTokens: number
  readonly outputTokens: number
}

/** Requests of about the same size, and what one of them costs an engine on average. */
export interface RequestBucket {
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

/** Sorted by prompt length, cut into equal parts, and each of them again by answer length. */
export function bucketsOf(
  requests: readonly RequestSize[],
  promptParts: number,
  outputParts: number,
): RequestBucket[] {
  const byPrompt = [...requests].sort((a, b) => a.promptTokens - b.promptTokens)
  return partsOf(byPrompt, promptParts).flatMap((part) => {
    const byOutput = [...part].sort((a, b) => a.outputTokens - b.outputTokens)
    return partsOf(byOutput, outputParts).map((bucket) => bucketOf(bucket, requests.length))
  })
}

function bucketOf(requests: readonly RequestSize[], all: number): RequestBucket {
  const mean = (value: (size: RequestSize) => number) =>
    requests.reduce((sum, one) => sum + value(one), 0) / requests.length
  const steps = ({ outputTokens }: RequestSize) => Math.max(0, outputTokens - 1)
  // Averages of products, not products of averages: the bound stays one for uneven requests.
  return {
    share: requests.length / all,
    promptTokensMin: Math.min(...requests.map((one) => one.promptTokens)),
    promptTokens: mean((one) => one.promptTokens),
    decodeSteps: mean(steps),
    decodeContextTokens: mean((one) => steps(one) * (one.promptTokens + one.outputTokens / 2)),
    prefillTokenPairs: mean((one) => one.promptTokens ** 2 / 2),
  }
}

function partsOf<Item>(items: readonly Item[], parts: number): Item[][] {
  const made: Item[][] = []
  for (let part = 0; part < parts; part += 1) {
    const from = Math.round((part * items.length) / parts)
    const slice = items.slice(from, Math.round(((part + 1) * items.length) / parts))
    if (slice.length > 0) made.push(slice)
  }
  return made
}
