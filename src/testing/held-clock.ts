import type { Clock } from '#std/clock.ts'

interface Timer {
  readonly atMs: number
  readonly run: () => void
}

/** A clock that stands still until a test moves it. */
export class HeldClock implements Clock {
  #nowMs: number
  readonly #timers = new Set<Timer>()

  constructor(nowMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = nowMs
  }

  nowMs(): number {
    return this.#nowMs
  }

  schedule(afterMs: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.max(0, afterMs), run }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** When each timer that is set falls due, in milliseconds from now, the soonest first. */
  get dueInMs(): number[] {
    return [...this.#timers].map(({ atMs }) => atMs - this.#nowMs).sort((a, b) => a - b)
  }

  /** Moves on, and runs what falls due on the way, each at its own time. */
  pass(ms: number): void {
    const untilMs = this.#nowMs + ms
    for (let next = this.#next(untilMs); next !== null; next = this.#next(untilMs)) {
      this.#timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.run()
    }
    this.#nowMs = untilMs
  }

  /** Time goes by while the process does something else: what fell due meanwhile is late. */
  stall(ms: number): void {
    this.#nowMs += ms
    this.pass(0)
  }

  #next(untilMs: number): Timer | null {
    let first: Timer | null = null
    for (const timer of this.#timers) {
      if (timer.atMs <= untilMs && (first === null || timer.atMs < first.atMs)) first = timer
    }
    return first
  }
}
