/**
 * The request that speeds are judged by where nobody says how long requests are: about the median
 * of the public chat traces (Azure 2023: 1,020 prompt tokens and 129 of answer; Mooncake and
 * ShareGPT lie around 200 of answer).
 */
import type { SpeedEstimate } from '#placement/fit.ts'

const promptTokens = 1_024
export const answerTokens = 192

export function ttftMs(speed: SpeedEstimate): number | null {
  const rate = speed.promptTokensPerSecond
  return rate === null || rate <= 0 ? null : (promptTokens / rate) * 1_000
}

export function tpotMs(speed: SpeedEstimate): number | null {
  const rate = speed.decodeTokensPerSecond
  return rate === null || rate <= 0 ? null : 1_000 / rate
}

/**
 * Output tokens a second with all slots busy. Weights are read once for all of them, so it grows
 * with the slots until arithmetic is what bounds it; then a token costs what a prompt's token does.
 */
export function busyTokensPerSecond(speed: SpeedEstimate, slots: number): number | null {
  const { decodeTokensPerSecond, promptTokensPerSecond } = speed
  if (decodeTokensPerSecond === null) return null
  return Math.min(decodeTokensPerSecond * slots, promptTokensPerSecond ?? Infinity)
}
