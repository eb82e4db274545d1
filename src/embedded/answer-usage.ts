import type { GenerationUsage } from '#embedded/generation.ts'

/** `usage` of the OpenAI API, summed over the answers of one request. */
export function usageOf(parts: readonly GenerationUsage[]) {
  const sum = (key: keyof GenerationUsage): number =>
    parts.reduce((total, part) => total + part[key], 0)
  const promptTokens = sum('promptTokens')
  const completionTokens = sum('completionTokens')
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: sum('cachedTokens') },
  }
}
