/**
 * How long steps take on one endpoint: what is said of it, corrected by what was seen there.
 *
 * Two corrections, because the two halves of an engine's work err apart: reading weights and KV
 * cache (memory), which every step does, and computing prompts on top of that (arithmetic).
 *
 *   step = decodeCorrection × (fixed + linear(decodes) + context)
 *        + prefillCorrection × (linear(decodes + prompt) − linear(decodes) + pairs)
 */
import { linearMs, linearTable, type StepSpeed, sameSpeed } from '#routing/step-speed.ts'

/** A guess for an endpoint of which nothing is known: a middling GPU. It learns from there. */
const unknownSpeed: StepSpeed = {
  fixedMs: 2,
  linearMs: [
    [1, 20],
    [64, 24],
    [512, 120],
    [2048, 460],
  ],
  decodeMsPerContextToken: 0.0002,
  prefillMsPerTokenPair: 0.000005,
}

/** One sample moves a correction by so much of its error: dozens of steps, a second or two. */
const decodeWeight = 0.03
/** First tokens are rarer than steps, and each tells of many. */
const prefillWeight = 0.1
/** A whole answer is hundreds of steps, some of them shared with others that nobody foresaw. */
const wholeWeight = 0.1
/** A single sample is never believed to be further off: a network that stalls is no slow device. */
const ratioMin = 0.25
const ratioMax = 4
/** Corrections stay within these: beyond, the endpoint is something else than it is said to be. */
const correctionMin = 0.02
const correctionMax = 100
/** From so many samples on, an endpoint of which nothing was said is judged by what was seen. */
const decodeSamplesEnough = 8
const prefillSamplesEnough = 3
/** An answer in one piece is a sample of both, and of hundreds of steps. */
const wholeSamplesEnough = 3

export class SpeedEstimate {
  decodeCorrection = 1
  prefillCorrection = 1
  #speed: StepSpeed = unknownSpeed
  #linear: Float64Array = linearTable(unknownSpeed)
  #guessed = true
  readonly #learns: boolean
  #strength = 1
  #decodeSamples = 0
  #prefillSamples = 0
  #wholeSamples = 0

  /** `strength` is what the user says of it, 1 for the mean of all: it makes a guess a better one. */
  constructor(told: StepSpeed | null, strength: number, learns: boolean) {
    this.#learns = learns
    this.#begin(told, strength)
  }

  /**
   * Where another speed is said, what was seen there corrected the one before, and counts no more.
   * What the user thinks of it counts until something was seen.
   */
  tell(told: StepSpeed | null, strength: number): void {
    const isOther = !sameSpeed(told ?? unknownSpeed, this.#speed)
    const isUnseen = this.#decodeSamples + this.#prefillSamples === 0
    if (isOther || (isUnseen && strength !== this.#strength)) this.#begin(told, strength)
  }

  #begin(told: StepSpeed | null, strength: number): void {
    const slower = Math.min(correctionMax, Math.max(correctionMin, 1 / strength))
    const correction = told === null && strength > 0 ? slower : 1
    this.#strength = strength
    this.#guessed = told === null
    this.#speed = told ?? unknownSpeed
    this.#linear = linearTable(this.#speed)
    this.decodeCorrection = correction
    this.prefillCorrection = correction
    this.#decodeSamples = 0
    this.#prefillSamples = 0
    this.#wholeSamples = 0
  }

  /** Whether predictions rest on anything but a guess. */
  get isKnown(): boolean {
    return (
      !this.#guessed ||
      this.#wholeSamples >= wholeSamplesEnough ||
      (this.#decodeSamples >= decodeSamplesEnough && this.#prefillSamples >= prefillSamplesEnough)
    )
  }

  /** Whether nothing is known of it, not even what its user thinks of it. */
  get isUnheardOf(): boolean {
    // Means of equal weights may miss them by a rounding.
    return Math.abs(this.#strength - 1) < 1e-9 && !this.isKnown
  }

  /** A step in which so many answers with so much context get a token. */
  decodeMs(decodes: number, contextTokens: number): number {
    const speed = this.#speed
    return (
      this.decodeCorrection *
      (speed.fixedMs +
        linearMs(this.#linear, decodes) +
        speed.decodeMsPerContextToken * contextTokens)
    )
  }

  /** What so many prompt tokens add to such a step. */
  chunkMs(decodes: number, tokens: number): number {
    return (
      this.prefillCorrection *
      (linearMs(this.#linear, decodes + tokens) - linearMs(this.#linear, decodes))
    )
  }

  pairsMs(pairs: number): number {
    return this.prefillCorrection * this.#speed.prefillMsPerTokenPair * pairs
  }

  learnDecode(observedMs: number, predictedMs: number): void {
    if (!this.#learns) return
    this.#decodeSamples++
    this.decodeCorrection = corrected(
      this.decodeCorrection,
      this.#believed(observedMs / predictedMs, this.#decodeSamples, decodeSamplesEnough),
      Math.max(decodeWeight, this.#guessed ? 1 / (this.#decodeSamples + 1) : 0),
    )
  }

  /** An answer in one piece tells of prompt and answer together, most of it of the answer. */
  learnWhole(observedMs: number, predictedMs: number): void {
    if (!this.#learns) return
    this.#wholeSamples++
    this.#decodeSamples++
    this.#prefillSamples++
    const ratio = this.#believed(
      observedMs / predictedMs,
      this.#prefillSamples,
      prefillSamplesEnough,
    )
    const first = this.#guessed ? 1 / (this.#decodeSamples + 1) : 0
    this.decodeCorrection = corrected(this.decodeCorrection, ratio, Math.max(wholeWeight, first))
    this.prefillCorrection = corrected(this.prefillCorrection, ratio, Math.max(decodeWeight, first))
  }

  /** A guess may be off by anything; what rests on samples is not. */
  #believed(ratio: number, samples: number, enough: number): number {
    if (this.#guessed && samples <= enough) return ratio
    return Math.min(ratioMax, Math.max(ratioMin, ratio))
  }

  /** `share` of the prediction was for prompts: only for that much is it evidence. */
  learnPrefill(observedMs: number, predictedMs: number, share: number): void {
    if (!this.#learns) return
    this.#prefillSamples++
    this.prefillCorrection = corrected(
      this.prefillCorrection,
      this.#believed(observedMs / predictedMs, this.#prefillSamples, prefillSamplesEnough),
      share * Math.max(prefillWeight, this.#guessed ? 1 / (this.#prefillSamples + 1) : 0),
    )
  }
}

function corrected(correction: number, ratio: number, weight: number): number {
  const next = correction * (1 + weight * (ratio - 1))
  return Math.min(correctionMax, Math.max(correctionMin, next))
}
