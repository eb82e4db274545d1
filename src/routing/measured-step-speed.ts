import type { MeasuredSpeed } from '#core/measured-speed.ts'
import type { StepSpeed } from '#routing/step-speed.ts'

/** Benchmarks of prompts are of about so many tokens; a step is thought to take as many. */
const promptStepTokens = 512

/**
 * The step times that a benchmark shows: one answer at a time, several, and a chunk of a prompt.
 * What it does not show, the share of long contexts, is learnt from the answers.
 */
export function measuredStepSpeed({
  promptTokensPerSecond,
  decodeTokensPerSecond,
  byConcurrency,
}: MeasuredSpeed): StepSpeed | null {
  if (promptTokensPerSecond <= 0 || decodeTokensPerSecond <= 0) return null
  const points: [tokens: number, ms: number][] = [[1, 1_000 / decodeTokensPerSecond]]
  const last = (): [number, number] => points[points.length - 1] as [number, number]
  for (const { requests, tokensPerSecond } of byConcurrency.toSorted(
    (one, other) => one.requests - other.requests,
  )) {
    if (requests <= last()[0] || tokensPerSecond <= 0) continue
    // A step with more in it takes no less, whatever a noisy measurement says.
    points.push([requests, Math.max(last()[1], (requests * 1_000) / tokensPerSecond)])
  }
  const [tokens, ms] = last()
  const promptMs = (promptStepTokens * 1_000) / promptTokensPerSecond
  points.push([Math.max(promptStepTokens, tokens + 1), Math.max(ms, promptMs)])
  return { fixedMs: 0, linearMs: points, decodeMsPerContextToken: 0, prefillMsPerTokenPair: 0 }
}
