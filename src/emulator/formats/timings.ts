import type { PhaseTiming } from '#emulator/formats/format.ts'

/** llama-server's account of an answer. */
export function timingsOf(promptTokens: number, outputTokens: number, timing: PhaseTiming) {
  const perSecond = (count: number, ms: number): number => (ms > 0 ? (count / ms) * 1000 : 0)
  const perToken = (count: number, ms: number): number => (count > 0 ? ms / count : 0)
  return {
    cache_n: 0,
    prompt_n: promptTokens,
    prompt_ms: timing.promptMs,
    prompt_per_token_ms: perToken(promptTokens, timing.promptMs),
    prompt_per_second: perSecond(promptTokens, timing.promptMs),
    predicted_n: outputTokens,
    predicted_ms: timing.outputMs,
    predicted_per_token_ms: perToken(outputTokens, timing.outputMs),
    predicted_per_second: perSecond(outputTokens, timing.outputMs),
  }
}
