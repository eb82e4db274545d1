import type { DecodeTimeline } from '#simulator/log-speed/decode-timeline.ts'
import { PrefillSums } from '#simulator/log-speed/prefill-sums.ts'
import type { Prefill, PrefillSteps } from '#simulator/log-speed/prefills.ts'
import { stepSizes } from '#simulator/log-speed/step-sizes.ts'

/** What one answer did to an endpoint, and when. */
export interface EndpointUse {
  readonly sentAtMs: number
  readonly firstTokenAtMs: number
  readonly endedAtMs: number
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly outputTokens: number
}

/** A time of the log as a sum of what is not known of an endpoint. */
export interface Equation {
  /** For each of `stepSizes`, then for a token of context, then for a pair of prompt tokens. */
  readonly features: Float64Array
  readonly ms: number
}

export interface AnswerEquations {
  /** Until the first token; null for those of a prompt that was read along with it. */
  readonly prompt: Equation | null
  /** From the first token to the last. */
  readonly answer: Equation
}

export const unknowns = { context: stepSizes.length, pairs: stepSizes.length + 1 } as const
export const unknownsCount = stepSizes.length + 2

/** The equations of each use, in their order. */
export function answerEquations(
  uses: readonly EndpointUse[],
  timeline: DecodeTimeline,
  prefills: readonly Prefill[],
): readonly AnswerEquations[] {
  const sums = new PrefillSums(prefills)
  const byEnd = new Map(prefills.map((prefill) => [prefill.toMs, prefill]))
  return uses.map(({ firstTokenAtMs: fromMs, endedAtMs: toMs, outputTokens }) => {
    const mean = timeline.mean(fromMs, toMs)
    const read = sums.between(fromMs, toMs)
    const steps = outputTokens - 1
    const features = new Float64Array(unknownsCount)
    features.set(read.parts)
    const alone = Math.max(0, steps - read.decodeSteps)
    for (const [at, part] of mean.parts.entries()) features[at]! += alone * part
    features[unknowns.context] = steps * mean.contextTokens
    features[unknowns.pairs] = read.pairs
    const answer = { features, ms: toMs - fromMs }
    const prefill = byEnd.get(fromMs)
    // Of several that were read together one stands for all.
    byEnd.delete(fromMs)
    return { prompt: prefill === undefined ? null : promptEquation(prefill, timeline), answer }
  })
}

function promptEquation(prefill: Prefill, timeline: DecodeTimeline): Equation {
  const { fromMs, toMs, decodeSteps, waited } = prefill
  const features = stepFeatures(prefill)
  const mean = timeline.mean(fromMs, toMs)
  // Who comes while a step is under way waits for its end: half of one, on average.
  const waitSteps = waited ? 0.5 : 0
  for (const [at, part] of mean.parts.entries()) features[at]! += waitSteps * part
  features[unknowns.context] = (decodeSteps + waitSteps) * mean.contextTokens
  return { features, ms: toMs - fromMs }
}

/** Of steps as they are, whoever waited for them. */
export function stepFeatures({ parts, pairs }: PrefillSteps): Float64Array {
  const features = new Float64Array(unknownsCount)
  features.set(parts)
  features[unknowns.pairs] = pairs
  return features
}

/** What the sum comes to. */
export function timeOf(features: Float64Array, solution: Float64Array): number {
  let ms = 0
  for (let at = 0; at < unknownsCount; at++) {
    ms += (features[at] as number) * (solution[at] as number)
  }
  return ms
}
