/**
 * How many retries are allowed: a share of first attempts, and a few a second in any case. Without
 * such a budget an outage is answered with a multiple of the traffic that caused it.
 */
import { TokenBucket } from '#std/token-bucket.ts'

/** Unused allowance of ten seconds may be saved up for a burst. */
const savedSeconds = 10

export class RetryBudget {
  readonly #ratio: number
  readonly #floor: TokenBucket
  #earned = 0
  readonly #earnedMax: number

  constructor(ratio: number, minPerSecond: number, nowMs: number) {
    this.#ratio = ratio
    this.#floor = new TokenBucket(minPerSecond * savedSeconds, minPerSecond, nowMs)
    this.#earnedMax = Math.max(10, minPerSecond * savedSeconds)
  }

  noteFirstAttempt(): void {
    this.#earned = Math.min(this.#earnedMax, this.#earned + this.#ratio)
  }

  tryRetry(nowMs: number): boolean {
    if (this.#earned >= 1) {
      this.#earned--
      return true
    }
    return this.#floor.capacity > 0 && this.#floor.tryTake(1, nowMs)
  }
}
