/**
 * A token bucket: holds up to `capacity`, refilled evenly. May be overdrawn by a settlement, and
 * then gives nothing until it has recovered. Time is an argument, in milliseconds of any clock
 * that never goes back.
 */
export class TokenBucket {
  readonly capacity: number
  readonly #perMs: number
  #level: number
  #atMs: number

  constructor(capacity: number, perSecond: number, nowMs: number) {
    this.capacity = capacity
    this.#perMs = perSecond / 1000
    this.#level = capacity
    this.#atMs = nowMs
  }

  level(nowMs: number): number {
    this.#level = Math.min(this.capacity, this.#level + (nowMs - this.#atMs) * this.#perMs)
    this.#atMs = nowMs
    return this.#level
  }

  /** Takes `amount` if it is there. A single amount above the capacity needs a full bucket. */
  tryTake(amount: number, nowMs: number): boolean {
    if (this.level(nowMs) < Math.min(amount, this.capacity)) return false
    this.#level -= amount
    return true
  }

  /** Gives back (or, negative, takes) what turned out differently from what was reserved. */
  settle(amount: number): void {
    this.#level = Math.min(this.capacity, this.#level + amount)
  }

  /** How long until `amount` is there, in milliseconds. */
  waitMs(amount: number, nowMs: number): number {
    const lack = Math.min(amount, this.capacity) - this.level(nowMs)
    return lack <= 0 ? 0 : lack / this.#perMs
  }
}
