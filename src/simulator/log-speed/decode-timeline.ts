import { addStep, stepSizes } from '#simulator/log-speed/step-sizes.ts'

/** An answer while its tokens came. */
export interface DecodingSpan {
  readonly fromMs: number
  readonly toMs: number
  readonly promptTokens: number
  readonly outputTokens: number
}

/** Of a stretch of time: step sizes as `stepSizes` parts, and what answers had to attend to. */
export interface MeanStep {
  readonly parts: Float64Array
  readonly contextTokens: number
}

const width = stepSizes.length

/** How many answers an endpoint wrote at each moment, and how much context they had. */
export class DecodeTimeline {
  /** The most answers at a time. */
  readonly most: number
  /** The most context that they had at a time. */
  readonly mostContextTokens: number
  readonly #times: Float64Array
  /** From each time on, to the next. */
  readonly #decoding: Int32Array
  /** Context in between is a line: so much at each time, and so much more in each millisecond. */
  readonly #context: Float64Array
  readonly #contextPerMs: Float64Array
  /** Sums from the beginning to each time. */
  readonly #partsMs: Float64Array
  readonly #contextMs: Float64Array

  constructor(spans: readonly DecodingSpan[]) {
    const changes = spans
      .flatMap((span) => {
        const perMs = span.outputTokens / Math.max(1, span.toMs - span.fromMs)
        const { promptTokens, outputTokens } = span
        return [
          { atMs: span.fromMs, count: 1, context: promptTokens, perMs },
          { atMs: span.toMs, count: -1, context: -promptTokens - outputTokens, perMs: -perMs },
        ]
      })
      .sort((one, other) => one.atMs - other.atMs)
    const length = changes.length
    this.#times = Float64Array.from(changes, ({ atMs }) => atMs)
    this.#decoding = new Int32Array(length)
    this.#context = new Float64Array(length)
    this.#contextPerMs = new Float64Array(length)
    this.#partsMs = new Float64Array(length * width)
    this.#contextMs = new Float64Array(length)
    let decoding = 0
    let context = 0
    let perMs = 0
    let most = 0
    let mostContextTokens = 0
    const sums = new Float64Array(width)
    let contextMs = 0
    for (const [at, change] of changes.entries()) {
      const passedMs = at === 0 ? 0 : change.atMs - (this.#times[at - 1] as number)
      if (decoding > 0) addStep(sums, decoding, passedMs)
      mostContextTokens = Math.max(mostContextTokens, context + perMs * passedMs)
      contextMs += (context + (perMs * passedMs) / 2) * passedMs
      context += perMs * passedMs + change.context
      decoding += change.count
      perMs += change.perMs
      // Rounding leaves crumbs, which an idle hour would make a loaf of.
      if (decoding === 0) context = perMs = 0
      most = Math.max(most, decoding)
      this.#decoding[at] = decoding
      this.#context[at] = context
      this.#contextPerMs[at] = perMs
      this.#partsMs.set(sums, at * width)
      this.#contextMs[at] = contextMs
    }
    this.most = most
    this.mostContextTokens = mostContextTokens
  }

  /** So many or fewer answers were written at a time in this part of the time that any was. */
  atATime(part: number): number {
    const msByCount = new Float64Array(this.most + 1)
    for (let at = 1; at < this.#times.length; at++) {
      const count = this.#decoding[at - 1] as number
      msByCount[count]! += (this.#times[at] as number) - (this.#times[at - 1] as number)
    }
    msByCount[0] = 0
    let leftMs = part * msByCount.reduce((sum, ms) => sum + ms, 0)
    const count = msByCount.findIndex((ms, at) => {
      leftMs -= ms
      return at > 0 && leftMs <= 0
    })
    return count === -1 ? this.most : count
  }

  /** How many answers were being written just before that time. */
  decodingBefore(atMs: number): number {
    const at = this.#lastBefore(atMs)
    return at < 0 ? 0 : (this.#decoding[at] as number)
  }

  /** The times, ascending, at which so many or more became fewer; with 1, all ends of answers. */
  endsOf(decoding: number): Float64Array {
    return this.#times.filter((_, at) => {
      const before = this.#decoding[at - 1] ?? 0
      return before >= decoding && (this.#decoding[at] as number) < before
    })
  }

  mean(fromMs: number, toMs: number): MeanStep {
    const parts = new Float64Array(width)
    const lengthMs = toMs - fromMs
    if (lengthMs <= 0) return { parts, contextTokens: 0 }
    const contextMs = this.#addUntil(toMs, 1, parts) - this.#addUntil(fromMs, -1, parts)
    for (let at = 0; at < width; at++) parts[at]! /= lengthMs
    return { parts, contextTokens: contextMs / lengthMs }
  }

  #addUntil(untilMs: number, sign: 1 | -1, parts: Float64Array): number {
    const at = this.#lastBefore(untilMs)
    if (at < 0) return 0
    for (let part = 0; part < width; part++) {
      parts[part]! += sign * (this.#partsMs[at * width + part] as number)
    }
    const passedMs = untilMs - (this.#times[at] as number)
    const decoding = this.#decoding[at] as number
    if (decoding > 0) addStep(parts, decoding, sign * passedMs)
    const half = ((this.#contextPerMs[at] as number) * passedMs) / 2
    return (this.#contextMs[at] as number) + ((this.#context[at] as number) + half) * passedMs
  }

  /** Where in the list the last change before that time is; -1 for none. */
  #lastBefore(atMs: number): number {
    return lastBefore(this.#times, atMs)
  }
}

/** Where in ascending times the last before `atMs` is; -1 for none. */
export function lastBefore(times: ArrayLike<number>, atMs: number): number {
  let low = 0
  let high = times.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((times[middle] as number) < atMs) low = middle + 1
    else high = middle
  }
  return low - 1
}
