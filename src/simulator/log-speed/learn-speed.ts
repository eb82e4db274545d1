/**
 * How fast an endpoint is, by the answers it gave: also where none of them ran alone.
 *
 * An engine works in steps, in which each answer that is being written gets a token, and prompts are
 * read along. The times of all answers tell how many shared the engine at each moment; so each
 * answer is an equation, in which the times of steps by their size are what is not known:
 *
 *   until the first token            = the steps in which its prompt was read
 *   from the first token to the last = its steps, by how many were written and read in them
 *
 * Thousands of them, for a dozen sizes. Sizes that steps had are found well, and those in between
 * lie on a line.
 */
import {
  type AnswerEquations,
  answerEquations,
  type EndpointUse,
  type Equation,
  stepFeatures,
  timeOf,
  unknowns,
} from '#simulator/log-speed/answer-equations.ts'
import { DecodeTimeline, type DecodingSpan } from '#simulator/log-speed/decode-timeline.ts'
import {
  type Prefill,
  type PrefillBatching,
  type PrefillSteps,
  prefillsOf,
  type SentPrompt,
} from '#simulator/log-speed/prefills.ts'
import { promptTokensPerOutputToken, solveEquations } from '#simulator/log-speed/solve-equations.ts'
import { stepSizes } from '#simulator/log-speed/step-sizes.ts'
import type { RateStepTime } from '#simulator/step-time-of-rates.ts'

/** An answer of a log; its first token is not known where it came in one piece. */
export interface LoggedUse extends Omit<EndpointUse, 'firstTokenAtMs'> {
  readonly firstTokenAtMs: number | null
  /** False for those that only shared the engine: they failed, or others had part in their times. */
  readonly counts: boolean
}

export interface LearntSpeed {
  readonly stepTime: RateStepTime
  /** Half of the times in the log are within this part of what the step time says. */
  readonly errorRatio: number
  /** The most answers that were written at a time, and how many there nearly always were. */
  readonly most: number
  readonly seldomFewerThan: number
  /** The most tokens that they had read and written, all together. */
  readonly mostContextTokens: number
  /** How many answers it writes at a time, where others had to wait for them; null for no such limit. */
  readonly seats: number | null
}

/**
 * The first does not know when answers in one piece began, nor what waited for room. Each knows it
 * better than the one before.
 */
const rounds = 4

/** `seats`: how many answers the endpoint writes at a time, if that is known. */
export function learnSpeed(
  logged: readonly LoggedUse[],
  seats: number | null,
  batching: PrefillBatching,
): LearntSpeed {
  let parts: readonly number[] = logged.map(guessedPart)
  let known: Float64Array | null = null
  for (let round = 1; ; round++) {
    const uses = together(logged.map((use, at) => withStart(use, parts[at] as number)))
    const timeline = new DecodeTimeline(uses.map(decodingSpan))
    const expected = expectedBy(known)
    const prefills = prefillsOf(
      uses.map(sentPrompt),
      timeline,
      seats ?? timeline.most,
      batching,
      expected,
    )
    const all = answerEquations(uses, timeline, prefills)
    const { solution, errorRatio } = solveEquations(
      all.flatMap((of, at) => counted(logged[at] as LoggedUse, of)),
    )
    if (round === rounds) {
      return {
        ...{ stepTime: stepTimeOf(solution), errorRatio, most: timeline.most },
        seldomFewerThan: timeline.atATime(seldom),
        mostContextTokens: timeline.mostContextTokens,
        seats: seats ?? seatsOf(prefills, timeline),
      }
    }
    known = solution
    parts = all.map(({ prompt, answer }) => {
      const promptMs = prompt === null ? 0 : timeOf(prompt.features, solution)
      const answerMs = timeOf(answer.features, solution)
      return promptMs / Math.max(Number.MIN_VALUE, promptMs + answerMs)
    })
  }
}

/** A part of the time in which any answer was written. */
const seldom = 0.05

const decodingSpan = (use: EndpointUse): DecodingSpan => ({
  ...{ fromMs: use.firstTokenAtMs, toMs: use.endedAtMs },
  ...{ promptTokens: use.promptTokens, outputTokens: use.outputTokens },
})

const sentPrompt = (use: EndpointUse): SentPrompt => ({
  ...{ sentAtMs: use.sentAtMs, readAtMs: use.firstTokenAtMs },
  ...{ tokens: use.promptTokens - use.cachedTokens, cachedTokens: use.cachedTokens },
})

const expectedBy = (solution: Float64Array | null) =>
  solution && ((steps: PrefillSteps) => timeOf(stepFeatures(steps), solution))

/**
 * Without a limit the most there ever were is a moment, and hardly anybody comes in it. So many, and
 * such a part of all, are no chance.
 */
const withoutSeatMin = 5
const withoutSeatRatioMin = 0.05

function seatsOf(prefills: readonly Prefill[], timeline: DecodeTimeline): number | null {
  const without = prefills.filter(({ hadNoSeat }) => hadNoSeat).length
  const isLimit = without >= Math.max(withoutSeatMin, withoutSeatRatioMin * prefills.length)
  return isLimit ? timeline.most : null
}

/** The part of its time that went by until its first token. */
function guessedPart({ promptTokens, cachedTokens, outputTokens }: LoggedUse): number {
  const prompt = (promptTokens - cachedTokens) / promptTokensPerOutputToken
  return prompt / Math.max(1, prompt + outputTokens)
}

function withStart(use: LoggedUse, part: number): EndpointUse {
  const { firstTokenAtMs, sentAtMs, endedAtMs } = use
  return { ...use, firstTokenAtMs: firstTokenAtMs ?? sentAtMs + part * (endedAtMs - sentAtMs) }
}

/**
 * First tokens that come within this time are of one step: no engine makes two in it, and clocks of
 * logs are whole milliseconds.
 */
const togetherMs = 2

/** First tokens of one step get one time. */
function together(uses: readonly EndpointUse[]): readonly EndpointUse[] {
  const times = new Map<number, number>()
  const sorted = uses.map(({ firstTokenAtMs }) => firstTokenAtMs).sort((one, other) => other - one)
  let lastMs = Number.POSITIVE_INFINITY
  for (const atMs of sorted) {
    if (lastMs - atMs > togetherMs) lastMs = atMs
    times.set(atMs, lastMs)
  }
  return uses.map((use) => {
    const firstTokenAtMs = times.get(use.firstTokenAtMs) ?? use.firstTokenAtMs
    return { ...use, firstTokenAtMs, endedAtMs: Math.max(use.endedAtMs, firstTokenAtMs) }
  })
}

function counted({ counts, firstTokenAtMs }: LoggedUse, of: AnswerEquations): Equation[] {
  if (!counts) return []
  const { prompt, answer } = of
  if (firstTokenAtMs !== null) return prompt === null ? [answer] : [prompt, answer]
  if (prompt === null) return []
  const features = answer.features.map((one, at) => one + (prompt.features[at] as number))
  return [{ features, ms: answer.ms + prompt.ms }]
}

const digits = (ms: number) => Number(ms.toPrecision(4))

function stepTimeOf(solution: Float64Array): RateStepTime {
  let ms = 0
  const linear = stepSizes.map((size, at) => {
    ms += solution[at] as number
    return [size, Math.max(0.001, digits(ms))] as const
  })
  return {
    linear,
    decodeMsPerContextToken: digits(solution[unknowns.context] as number),
    prefillMsPerTokenPair: digits(solution[unknowns.pairs] as number),
  }
}
