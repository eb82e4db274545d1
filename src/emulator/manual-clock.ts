import type { EmulatorClock } from '#emulator/clock.ts'

interface Waiting {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements EmulatorClock {
  #nowMs = 0
  #order = 0
  readonly #waiting = new Set<Waiting>()

  nowMs(): number {
    return this.#nowMs
  }

  schedule(afterMs: number, run: () => void): () => void {
    const waiting = { atMs: this.#nowMs + Math.max(afterMs, 0), order: this.#order++, run }
    this.#waiting.add(waiting)
    return () => this.#waiting.delete(waiting)
  }

  /** How many timers are set: nothing may be left when all is over. */
  get timers(): number {
    return this.#waiting.size
  }

  /** Moves on by `ms`, and runs what falls due on the way, each at its own time. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms
    for (;;) {
      const next = this.#next()
      if (next === null || next.atMs > untilMs) break
      this.#waiting.delete(next)
      this.#nowMs = next.atMs
      next.run()
    }
    this.#nowMs = untilMs
  }

  #next(): Waiting | null {
    let first: Waiting | null = null
    for (const one of this.#waiting) {
      const earlier =
        first === null ||
        one.atMs < first.atMs ||
        (one.atMs === first.atMs && one.order < first.order)
      if (earlier) first = one
    }
    return first
  }
}
