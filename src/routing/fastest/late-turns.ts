/** When late requests may go before live ones, and how fast they go. */
import { ewma } from '#std/ewma.ts'

/** Late requests leave seldom: ten of them say how fast. */
const intervalWeight = 0.1
const retryAfterMsMin = 1_000
const retryAfterMsMax = 60_000

export class LateTurns {
  /** Of each live request that goes, this part of a turn is put aside. */
  readonly #share: number
  #saved = 0
  /** Null until two went. */
  #intervalMs: number | null = null
  #sentAtMs: number | null = null

  constructor(share: number) {
    this.#share = share
  }

  /** Whether a late request may go before live ones now. */
  get isDue(): boolean {
    return this.#saved >= 1
  }

  liveSent(): void {
    this.#saved = Math.min(1, this.#saved + this.#share)
  }

  /** A late request took its turn. */
  taken(): void {
    this.#saved--
  }

  /** A late request was sent, in its turn or because there was room. */
  lateSent(nowMs: number): void {
    if (this.#sentAtMs !== null) {
      const intervalMs = Math.min(retryAfterMsMax, nowMs - this.#sentAtMs)
      this.#intervalMs = ewma(this.#intervalMs, intervalMs, intervalWeight)
    }
    this.#sentAtMs = nowMs
  }

  /** When it is worth coming again, with so many late ones before. */
  retryAfterMs(late: number): number {
    return Math.min(retryAfterMsMax, Math.max(retryAfterMsMin, late * (this.#intervalMs ?? 0)))
  }
}
