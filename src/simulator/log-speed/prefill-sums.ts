import { lastBefore } from '#simulator/log-speed/decode-timeline.ts'
import type { Prefill } from '#simulator/log-speed/prefills.ts'
import { stepSizes } from '#simulator/log-speed/step-sizes.ts'

const width = stepSizes.length

/** What was read in a stretch of time. */
export interface PrefillTotals {
  readonly parts: Float64Array
  readonly decodeSteps: number
  readonly pairs: number
}

/** Sums over all prefills before each, so that a stretch of time is two of them. */
export class PrefillSums {
  readonly #prefills: readonly Prefill[]
  readonly #ends: Float64Array
  readonly #parts: Float64Array
  readonly #steps: Float64Array
  readonly #pairs: Float64Array

  constructor(prefills: readonly Prefill[]) {
    const { length } = prefills
    this.#prefills = prefills
    this.#ends = Float64Array.from(prefills, ({ toMs }) => toMs)
    this.#parts = new Float64Array((length + 1) * width)
    this.#steps = new Float64Array(length + 1)
    this.#pairs = new Float64Array(length + 1)
    for (const [at, prefill] of prefills.entries()) {
      for (let part = 0; part < width; part++) {
        this.#parts[(at + 1) * width + part] =
          (this.#parts[at * width + part] as number) + (prefill.parts[part] as number)
      }
      this.#steps[at + 1] = (this.#steps[at] as number) + prefill.decodeSteps
      this.#pairs[at + 1] = (this.#pairs[at] as number) + prefill.pairs
    }
  }

  /** After `fromMs` and until `toMs`; of a prefill that goes on beyond, its part. */
  between(fromMs: number, toMs: number): PrefillTotals {
    const parts = new Float64Array(width)
    const sum = { decodeSteps: 0, pairs: 0 }
    this.#addUntil(toMs, 1, parts, sum)
    this.#addUntil(fromMs, -1, parts, sum)
    return { parts, ...sum }
  }

  #addUntil(
    untilMs: number,
    sign: 1 | -1,
    parts: Float64Array,
    sum: { decodeSteps: number; pairs: number },
  ): void {
    // Those that end at that very time are over.
    const over = lastBefore(this.#ends, untilMs + 0.5) + 1
    const next = this.#prefills[over]
    const begun =
      next === undefined || next.fromMs >= untilMs
        ? 0
        : (untilMs - next.fromMs) / (next.toMs - next.fromMs)
    for (let part = 0; part < width; part++) {
      const whole = this.#parts[over * width + part] as number
      parts[part]! += sign * (whole + begun * (next?.parts[part] ?? 0))
    }
    sum.decodeSteps += sign * ((this.#steps[over] as number) + begun * (next?.decodeSteps ?? 0))
    sum.pairs += sign * ((this.#pairs[over] as number) + begun * (next?.pairs ?? 0))
  }
}
