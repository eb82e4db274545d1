/** How long it takes until a replica answers, from the size of its weights and what they pass through. */

export interface StartQuestion {
  readonly bytes: number
  /** Whether its weights are on the node. */
  readonly isThere: boolean
  /** Null where nobody has measured. */
  readonly diskBytesPerSecond: number | null
  readonly networkBytesPerSecond: number | null
  /** Whether its engine compiles and records graphs first. */
  readonly isCompiled: boolean
}

/** A SATA SSD reads this, and it is the worst that models lie on for long; networks of 1 Gbit/s. */
const diskRateUsual = 500e6
const networkRateUsual = 100e6

/** Until an engine that compiles and records graphs is there, beside loading; others are at once. */
const compiledStartMs = 40_000
const otherStartMs = 2_000

export function startMs(question: StartQuestion): number {
  const { bytes, isThere, isCompiled } = question
  const fetchSeconds = isThere ? 0 : bytes / (question.networkBytesPerSecond ?? networkRateUsual)
  const loadSeconds = bytes / (question.diskBytesPerSecond ?? diskRateUsual)
  const setUpMs = isCompiled ? compiledStartMs : otherStartMs
  return Math.round((fetchSeconds + loadSeconds) * 1_000 + setUpMs)
}
