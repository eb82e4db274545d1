/**
 * How long one step of an engine takes: one pass through the model, with the tokens of all running
 * sequences in it.
 *
 *   overhead + head + linear(tokens)
 *     + decode + decodePerContext × context of the decoding sequences     when any decodes
 *     + prefill + prefillPerPair × token pairs of the chunks              when any is being read
 *
 * `linear` is what the weights cost: a softened maximum of reading them and of computing with them,
 * or a table where kernels have knees that no formula shows. The last two lines are attention,
 * which grows with what was said before and not with the size of the step.
 */
export interface StepTimeParameters {
  /** What the host takes between two steps, whatever is in them. */
  readonly overheadMs: number
  /** The output layer and sampling. */
  readonly headMs: number
  readonly linear: LinearTime
  readonly decodeMs: number
  readonly decodeMsPerContextToken: number
  readonly prefillMs: number
  /** For each pair of a token that is read and a token it attends to. */
  readonly prefillMsPerTokenPair: number
}

export type LinearTime =
  /** (weights^6 + (base + perToken × tokens)^6)^(1/6): memory-bound at first, compute-bound later. */
  | {
      readonly kind: 'soft-max'
      readonly weightsMs: number
      readonly baseMs: number
      readonly msPerToken: number
    }
  /** Ascending [tokens, ms]; straight between points, and on beyond the last at its slope. */
  | { readonly kind: 'table'; readonly points: readonly (readonly [number, number])[] }
  /** One price for a pass that decodes, however many do, and one for each token that is read. */
  | {
      readonly kind: 'rates'
      readonly decodeMs: number
      readonly prefillMsPerToken: number
    }

/** What is in a step. */
export interface StepLoad {
  /** Sequences that decode, one token each. */
  readonly decodes: number
  /** Tokens that the decoding sequences attend to, all together. */
  readonly decodeContextTokens: number
  /** Prompt tokens that are read. */
  readonly prefillTokens: number
  /** Sum over the chunks of tokens × (tokens before the chunk + half the chunk). */
  readonly prefillTokenPairs: number
}

export type StepTime = (load: StepLoad) => number

/** A step time from its parameters, with all that does not change worked out before. */
export function stepTimeOf(parameters: StepTimeParameters): StepTime {
  const { overheadMs, headMs, decodeMs, prefillMs } = parameters
  const { decodeMsPerContextToken, prefillMsPerTokenPair } = parameters
  const linear = linearOf(parameters.linear)
  return ({ decodes, decodeContextTokens, prefillTokens, prefillTokenPairs }) => {
    let ms = overheadMs + headMs + linear(decodes, prefillTokens)
    if (decodes > 0) ms += decodeMs + decodeMsPerContextToken * decodeContextTokens
    if (prefillTokens > 0) ms += prefillMs + prefillMsPerTokenPair * prefillTokenPairs
    return ms
  }
}

/** The power of the soft maximum, as it was fitted: the larger, the sharper its knee. */
const power = 6

function linearOf(linear: LinearTime): (decodes: number, prefillTokens: number) => number {
  switch (linear.kind) {
    case 'soft-max': {
      const { baseMs, msPerToken } = linear
      const weightsPower = linear.weightsMs ** power
      return (decodes, prefillTokens) =>
        (weightsPower + (baseMs + msPerToken * (decodes + prefillTokens)) ** power) ** (1 / power)
    }
    case 'table':
      return tableOf(linear.points)
    case 'rates': {
      const { decodeMs, prefillMsPerToken } = linear
      return (decodes, prefillTokens) =>
        (decodes > 0 ? decodeMs : 0) + prefillMsPerToken * prefillTokens
    }
  }
}

function tableOf(
  points: readonly (readonly [number, number])[],
): (decodes: number, prefillTokens: number) => number {
  if (points.length < 2) throw new RangeError('A step time table has at least two points.')
  const tokens = Float64Array.from(points, (point) => point[0])
  const ms = Float64Array.from(points, (point) => point[1])
  const slopes = new Float64Array(points.length)
  for (let at = 0; at + 1 < points.length; at += 1) {
    if (tokens[at + 1]! <= tokens[at]!) throw new RangeError('A step time table ascends.')
    slopes[at] = (ms[at + 1]! - ms[at]!) / (tokens[at + 1]! - tokens[at]!)
  }
  slopes[points.length - 1] = slopes[points.length - 2]!
  return (decodes, prefillTokens) => {
    const count = decodes + prefillTokens
    // Tables have a dozen points and most steps are small: a walk from the front finds it first.
    let at = 0
    while (at + 1 < tokens.length && tokens[at + 1]! <= count) at += 1
    return ms[at]! + slopes[at]! * Math.max(0, count - tokens[at]!)
  }
}

/** The same where every step takes so many times as long, whatever is in it. */
export function slowedStepTime(time: StepTimeParameters, factor: number): StepTimeParameters {
  return {
    overheadMs: time.overheadMs * factor,
    headMs: time.headMs * factor,
    linear: scaledLinear(time.linear, factor),
    decodeMs: time.decodeMs * factor,
    decodeMsPerContextToken: time.decodeMsPerContextToken * factor,
    prefillMs: time.prefillMs * factor,
    prefillMsPerTokenPair: time.prefillMsPerTokenPair * factor,
  }
}

/** The same where everything takes so many times as long. */
export function scaledLinear(linear: LinearTime, factor: number): LinearTime {
  switch (linear.kind) {
    case 'table':
      return { ...linear, points: linear.points.map(([tokens, ms]) => [tokens, ms * factor]) }
    case 'soft-max':
      return {
        ...linear,
        weightsMs: linear.weightsMs * factor,
        baseMs: linear.baseMs * factor,
        msPerToken: linear.msPerToken * factor,
      }
    case 'rates':
      return {
        ...linear,
        decodeMs: linear.decodeMs * factor,
        prefillMsPerToken: linear.prefillMsPerToken * factor,
      }
  }
}
