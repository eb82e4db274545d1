/** What an answer cost, in tokens, as engines report it. */
export interface Usage {
  readonly promptTokens: number
  readonly completionTokens: number
  /** Of the prompt, those that lay in a cache; null where the engine does not say. */
  readonly cachedTokens: number | null
}

/**
 * Reads the usage object of any of the APIs: OpenAI's chat (`prompt_tokens`), its Responses and
 * Anthropic's (`input_tokens`), or null when `value` is none of them.
 */
export function readUsage(value: unknown): Usage | null {
  if (typeof value !== 'object' || value === null) return null
  const usage = value as Readonly<Record<string, unknown>>
  const promptTokens = count(usage['prompt_tokens'] ?? usage['input_tokens'])
  const completionTokens = count(usage['completion_tokens'] ?? usage['output_tokens'])
  const totalTokens = count(usage['total_tokens'])
  if (promptTokens === null && completionTokens === null && totalTokens === null) return null
  return {
    promptTokens: promptTokens ?? Math.max(0, (totalTokens ?? 0) - (completionTokens ?? 0)),
    completionTokens: completionTokens ?? 0,
    cachedTokens: cachedOf(usage),
  }
}

/** OpenAI's chat and Responses name details of the prompt; Anthropic counts them beside it. */
function cachedOf(usage: Readonly<Record<string, unknown>>): number | null {
  const details = usage['prompt_tokens_details'] ?? usage['input_tokens_details']
  if (typeof details === 'object' && details !== null) {
    return count((details as Readonly<Record<string, unknown>>)['cached_tokens'])
  }
  return count(usage['cache_read_input_tokens'])
}

/** What no engine can mean is not counted: sums of it would be nonsense for as long as we run. */
export function count(value: unknown): number | null {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : null
}
