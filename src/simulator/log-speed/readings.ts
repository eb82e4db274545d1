import { type BusyLine, lastBefore } from '#simulator/log-speed/busy-line.ts'
import { addStep, stepSizes } from '#simulator/log-speed/step-sizes.ts'

/** A prompt, and when it was sent and had been read. */
export interface ReadPrompt {
  readonly sentAtMs: number
  readonly readAtMs: number
  /** Those that an engine had to read: without what lay in its cache. */
  readonly tokens: number
  readonly cachedTokens: number
}

/** How an engine takes prompts in. */
export interface ReadingWays {
  /** The most tokens in a step. */
  readonly batchTokens: number
  /** The most that go through the model at once: larger steps are made of several such. */
  readonly pieceTokens: number
  /** Whether answers get a token in the steps that read prompts. */
  readonly mixes: boolean
}

/** Steps in which one prompt was read, or several that were read together. */
export interface ReadingSteps {
  /** Of step sizes, as `addStep` adds them. */
  readonly parts: Float64Array
  /** Tokens that answers got meanwhile, each. */
  readonly decodeSteps: number
  readonly pairs: number
}

export interface Reading extends ReadingSteps {
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
export function readingsOf(
  prompts: readonly ReadPrompt[],
  line: BusyLine,
  seats: number,
  ways: ReadingWays,
  expected: ((steps: ReadingSteps) => number) | null,
): readonly Reading[] {
  const freed = line.endsOf(seats)
  const ends = line.endsOf(1)
  const readings: Reading[] = []
  let before = Number.NEGATIVE_INFINITY
  const byTime = Map.groupBy(prompts, ({ readAtMs }) => readAtMs)
  for (const [toMs, group] of [...byTime].sort(([one], [other]) => one - other)) {
    const sentAtMs = Math.min(...group.map((one) => one.sentAtMs))
    const freedAtMs = freed[lastBefore(freed, toMs)] ?? Number.NEGATIVE_INFINITY
    const steps = stepsOf(group, line.decodingBefore(toMs), ways)
    const earliestMs = Math.min(toMs, Math.max(sentAtMs, before, freedAtMs))
    const expectedMs = expected?.(steps) ?? Number.POSITIVE_INFINITY
    const fromMs = begunAt(earliestMs, toMs, expectedMs, ends)
    const waited = fromMs === sentAtMs && line.decodingBefore(fromMs) > 0
    const hadNoSeat = fromMs === freedAtMs && fromMs > sentAtMs
    readings.push({ fromMs, toMs, waited, hadNoSeat, ...steps })
    before = toMs
  }
  return readings
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
  group: readonly ReadPrompt[],
  decoding: number,
  { batchTokens, pieceTokens, mixes }: ReadingWays,
): ReadingSteps {
  const parts = new Float64Array(stepSizes.length)
  const decodes = mixes ? decoding : 0
  const room = Math.max(1, batchTokens - decodes)
  let left = group.reduce((sum, { tokens }) => sum + tokens, 0)
  let steps = 0
  for (; left > 0; steps++) {
    let ofStep = Math.min(left, room)
    left -= ofStep
    for (let along = decodes; ofStep > 0; along = 0) {
      const piece = Math.min(ofStep, Math.max(1, pieceTokens - along))
      addStep(parts, along + piece, 1)
      ofStep -= piece
    }
  }
  const pairs = group.reduce(
    (sum, { tokens, cachedTokens }) => sum + tokens * (cachedTokens + tokens / 2),
    0,
  )
  return { parts, decodeSteps: mixes ? steps : 0, pairs }
}
