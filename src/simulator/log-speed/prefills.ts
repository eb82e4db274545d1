import { type DecodeTimeline, lastBefore } from '#simulator/log-speed/decode-timeline.ts'
import { addStep, stepSizes } from '#simulator/log-speed/step-sizes.ts'

/** A prompt, and when it was sent and had been read. */
export interface SentPrompt {
  readonly sentAtMs: number
  readonly readAtMs: number
  /** Those that an engine had to read: without what lay in its cache. */
  readonly tokens: number
  readonly cachedTokens: number
}

/** How an engine takes prompts in. */
export interface PrefillBatching {
  /** The most tokens in a step. */
  readonly batchTokens: number
  /** The most that go through the model at once: larger steps are made of several such. */
  readonly microBatchTokens: number
  /** Whether answers get a token in the steps that read prompts. */
  readonly mixes: boolean
}

/** Steps in which one prompt was read, or several that were read together. */
export interface PrefillSteps {
  /** Of step sizes, as `addStep` adds them. */
  readonly parts: Float64Array
  /** Tokens that answers got meanwhile, each. */
  readonly decodeSteps: number
  readonly pairs: number
}

export interface Prefill extends PrefillSteps {
  readonly fromMs: number
  readonly toMs: number
  /** Whether an unknown part of a step passed before it began. */
  readonly waited: boolean
  /** Whether it began when one of as many answers ended as are written at a time. */
  readonly hadNoSeat: boolean
}

/**
 * When prompts were read, by when their first tokens came: in the order in which they came, one
 * after the other; those of one time together. `seats`: while so many answers are written, the next
 * prompt waits. `expected`: how long such steps should take; null where nobody knows yet.
 */
export function prefillsOf(
  prompts: readonly SentPrompt[],
  timeline: DecodeTimeline,
  seats: number,
  batching: PrefillBatching,
  expected: ((steps: PrefillSteps) => number) | null,
): readonly Prefill[] {
  const freed = timeline.endsOf(seats)
  const ends = timeline.endsOf(1)
  const prefills: Prefill[] = []
  let beforeMs = Number.NEGATIVE_INFINITY
  const byTime = Map.groupBy(prompts, ({ readAtMs }) => readAtMs)
  for (const [toMs, group] of [...byTime].sort(([one], [other]) => one - other)) {
    const sentAtMs = Math.min(...group.map((one) => one.sentAtMs))
    const freedAtMs = freed[lastBefore(freed, toMs)] ?? Number.NEGATIVE_INFINITY
    const steps = stepsOf(group, timeline.decodingBefore(toMs), batching)
    const earliestMs = Math.min(toMs, Math.max(sentAtMs, beforeMs, freedAtMs))
    const expectedMs = expected?.(steps) ?? Number.POSITIVE_INFINITY
    const fromMs = begunAt(earliestMs, toMs, expectedMs, ends)
    const waited = fromMs === sentAtMs && timeline.decodingBefore(fromMs) > 0
    const hadNoSeat = fromMs === freedAtMs && fromMs > sentAtMs
    prefills.push({ fromMs, toMs, waited, hadNoSeat, ...steps })
    beforeMs = toMs
  }
  return prefills
}

/**
 * A prompt that found no room began when an answer ended and made some. Nobody logs that; it is
 * taken for so where it explains better how long the reading took.
 */
function begunAt(earliestMs: number, toMs: number, expectedMs: number, ends: Float64Array): number {
  const expectedAtMs = toMs - expectedMs
  if (expectedAtMs <= earliestMs) return earliestMs
  const at = lastBefore(ends, expectedAtMs)
  const candidates = [ends[at], ends[at + 1]].filter(
    (endMs) => endMs !== undefined && endMs > earliestMs && endMs < toMs,
  )
  return [earliestMs, ...(candidates as number[])].reduce((best, one) =>
    Math.abs(one - expectedAtMs) < Math.abs(best - expectedAtMs) ? one : best,
  )
}

function stepsOf(
  group: readonly SentPrompt[],
  decoding: number,
  { batchTokens, microBatchTokens, mixes }: PrefillBatching,
): PrefillSteps {
  const parts = new Float64Array(stepSizes.length)
  const decodes = mixes ? decoding : 0
  const room = Math.max(1, batchTokens - decodes)
  let left = group.reduce((sum, { tokens }) => sum + tokens, 0)
  let steps = 0
  for (; left > 0; steps++) {
    let ofStep = Math.min(left, room)
    left -= ofStep
    for (let along = decodes; ofStep > 0; along = 0) {
      const microBatch = Math.min(ofStep, Math.max(1, microBatchTokens - along))
      addStep(parts, along + microBatch, 1)
      ofStep -= microBatch
    }
  }
  const pairs = group.reduce(
    (sum, { tokens, cachedTokens }) => sum + tokens * (cachedTokens + tokens / 2),
    0,
  )
  return { parts, decodeSteps: mixes ? steps : 0, pairs }
}
