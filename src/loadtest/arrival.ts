/**
 * When requests come and how large they are: the whole load is known before it begins, and the same
 * seed makes the same load. Requests come whether or not earlier ones were answered (open loop):
 * users do not wait for each other, and a system that falls behind must show it.
 */
export interface Arrival {
  /** Milliseconds since the load began. */
  readonly atMs: number
  readonly promptTokens: number
  readonly outputTokens: number
  /** The part of the load it belongs to, as `8 req/s`; figures are told for each. */
  readonly phase: string
}

/** Lengths as they are drawn: around a mean, and never more than four times it. */
export interface Lengths {
  readonly promptTokens: number
  readonly outputTokens: number
}

export interface Load {
  readonly requestsPerSecond: number
  readonly durationMs: number
  readonly lengths: Lengths
}

/** Numbers in [0, 1), a new one at each call. */
export type Chance = () => number

/** Poisson arrivals at one rate. */
export function chatArrivals(load: Load, chance: Chance): Arrival[] {
  const { requestsPerSecond, durationMs, lengths } = load
  const phase = rateText(requestsPerSecond)
  return poisson(requestsPerSecond, 0, durationMs, chance).map((atMs) =>
    drawn(atMs, lengths, phase, chance),
  )
}

/** The parts of `requestsPerSecond` that a ramp goes through, for equally long. */
const rampParts = [0.2, 0.4, 0.6, 0.8, 1] as const

/** A stress goes past what was asked for: where it breaks is what is wanted. */
const stressParts = [0.5, 1, 1.5, 2, 3, 4] as const

export function rampArrivals(load: Load, chance: Chance): Arrival[] {
  return stairs(load, rampParts, chance)
}

export function stressArrivals(load: Load, chance: Chance): Arrival[] {
  return stairs(load, stressParts, chance)
}

/** Prompts of 1/8, 1/4 … 4 times the usual length, at one rate: what a long prompt costs others. */
const lengthFactors = [1 / 8, 1 / 4, 1 / 2, 1, 2, 4] as const

export function promptLengthArrivals(load: Load, chance: Chance): Arrival[] {
  const partMs = load.durationMs / lengthFactors.length
  return lengthFactors.flatMap((factor, index) => {
    const promptTokens = Math.max(1, Math.round(load.lengths.promptTokens * factor))
    const { outputTokens } = load.lengths
    return poisson(load.requestsPerSecond, index * partMs, partMs, chance).map((atMs) => ({
      atMs,
      promptTokens,
      outputTokens,
      phase: `${promptTokens} tokens`,
    }))
  })
}

/** Requests of a recorded trace, times stretched by `timeScale` (0.5: twice as fast). */
export function traceArrivals(
  rows: readonly {
    readonly arrivalMs: number
    readonly promptTokens: number
    readonly outputTokens: number
  }[],
  { timeScale, durationMs }: { readonly timeScale: number; readonly durationMs: number | null },
): Arrival[] {
  return rows
    .map(({ arrivalMs, promptTokens, outputTokens }) => ({
      atMs: arrivalMs * timeScale,
      promptTokens,
      outputTokens: Math.max(1, outputTokens),
      phase: 'trace',
    }))
    .filter(({ atMs }) => durationMs === null || atMs < durationMs)
    .toSorted((one, other) => one.atMs - other.atMs)
}

function stairs(load: Load, parts: readonly number[], chance: Chance): Arrival[] {
  const partMs = load.durationMs / parts.length
  return parts.flatMap((part, index) => {
    const rate = load.requestsPerSecond * part
    return poisson(rate, index * partMs, partMs, chance).map((atMs) =>
      drawn(atMs, load.lengths, rateText(rate), chance),
    )
  })
}

function poisson(perSecond: number, fromMs: number, durationMs: number, chance: Chance): number[] {
  const times: number[] = []
  const meanGapMs = 1_000 / perSecond
  for (let atMs = fromMs; ; ) {
    atMs += -Math.log(1 - chance()) * meanGapMs
    if (atMs >= fromMs + durationMs) return times
    times.push(atMs)
  }
}

function drawn(atMs: number, lengths: Lengths, phase: string, chance: Chance): Arrival {
  return {
    atMs,
    promptTokens: around(lengths.promptTokens, chance),
    outputTokens: around(lengths.outputTokens, chance),
    phase,
  }
}

/** Exponential around the mean, as lengths of chats roughly are: most short, some long. */
function around(mean: number, chance: Chance): number {
  const length = -Math.log(1 - chance()) * mean
  return Math.round(Math.min(Math.max(1, length), 4 * mean))
}

function rateText(perSecond: number): string {
  return `${Number(perSecond.toPrecision(3))} req/s`
}
