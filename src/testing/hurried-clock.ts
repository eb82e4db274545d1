import type { Clock } from '#std/clock.ts'

/**
 * The clock of this machine, which a test can hurry: minutes of waiting pass in seconds, for all who
 * share it, and what is set for then falls due then.
 */
export class HurriedClock implements Clock {
  #rate = 1
  /** Both at the last change of the rate. */
  #baseMs = Date.now()
  #baseRealMs = performance.now()
  readonly #waiting = new Map<object, { readonly atMs: number; readonly run: () => void }>()
  readonly #timers = new Map<object, NodeJS.Timeout>()

  nowMs(): number {
    return this.#baseMs + (performance.now() - this.#baseRealMs) * this.#rate
  }

  schedule(afterMs: number, run: () => void): () => void {
    const key = {}
    this.#waiting.set(key, { atMs: this.nowMs() + Math.max(0, afterMs), run })
    this.#arm(key)
    return () => this.#forget(key)
  }

  /** From now on a second passes in a fraction of it. */
  hurry(rate: number): void {
    this.#baseMs = this.nowMs()
    this.#baseRealMs = performance.now()
    this.#rate = rate
    for (const key of this.#waiting.keys()) this.#arm(key)
  }

  #arm(key: object): void {
    clearTimeout(this.#timers.get(key))
    const waiting = this.#waiting.get(key)
    if (waiting === undefined) return
    const realMs = Math.max(0, (waiting.atMs - this.nowMs()) / this.#rate)
    const fire = (): void => {
      this.#forget(key)
      waiting.run()
    }
    this.#timers.set(key, setTimeout(fire, Math.min(realMs, 2 ** 31 - 1)))
  }

  #forget(key: object): void {
    clearTimeout(this.#timers.get(key))
    this.#timers.delete(key)
    this.#waiting.delete(key)
  }
}
