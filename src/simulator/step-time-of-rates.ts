/** How long steps take, as far as two rates tell it; a stepTime of a fleet file. */
export interface RateStepTime {
  readonly linear: readonly (readonly [tokens: number, ms: number])[]
  readonly decodeMsPerContextToken: number
  readonly prefillMsPerTokenPair: number
}

/** The prompts that speeds are measured with are about as long. */
const measuredPromptTokens = 512

/**
 * All that two rates tell: a step of one token, and one of a prompt. Between them a straight line,
 * which is slower than a GPU with several answers at a time. Attention is in them already.
 */
export function stepTimeOfRates(
  promptTokensPerSecond: number,
  decodeTokensPerSecond: number,
): RateStepTime {
  const oneMs = rounded(1_000 / decodeTokensPerSecond)
  const promptMs = rounded((measuredPromptTokens * 1_000) / promptTokensPerSecond)
  return {
    linear: [
      [1, oneMs],
      [measuredPromptTokens, Math.max(rounded(oneMs * 1.01), promptMs)],
    ],
    decodeMsPerContextToken: 0,
    prefillMsPerTokenPair: 0,
  }
}

const rounded = (ms: number) => Number(ms.toPrecision(4))
