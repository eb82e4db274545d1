/**
 * Deadlines of one attempt, phase by phase, on a single timer. Noting progress only writes down a
 * time, so a stream of ten thousand chunks costs no timer a chunk; the timer looks at what was
 * noted when it goes off, and sleeps again for what is left. A process that stood still finds its
 * timers before what came meanwhile: that is heard first, and then judged.
 */
export type Phase = 'connect' | 'first-byte' | 'between-chunks' | 'write-stall'

export interface Deadlines {
  readonly connectMs: number
  readonly firstByteMs: number
  readonly betweenChunksMs: number
  readonly writeStallMs: number
  /** When the whole request must be over. */
  readonly totalAtMs: number
}

export class Watchdog {
  readonly #deadlines: Deadlines
  readonly #nowMs: () => number
  readonly #expire: (what: Phase | 'total', phaseLimitMs: number) => void
  #phase: Phase = 'connect'
  #sinceMs: number
  #timer: NodeJS.Timeout | null = null
  /** That what has come is heard. */
  #hearing: NodeJS.Immediate | null = null
  #firesAtMs = Number.POSITIVE_INFINITY

  constructor(
    deadlines: Deadlines,
    nowMs: () => number,
    expire: (what: Phase | 'total', phaseLimitMs: number) => void,
  ) {
    this.#deadlines = deadlines
    this.#nowMs = nowMs
    this.#expire = expire
    this.#sinceMs = nowMs()
    this.#arm(this.#sinceMs)
  }

  get phase(): Phase {
    return this.#phase
  }

  /** Something happened: the phase begins, or begins again. */
  note(phase: Phase, nowMs: number): void {
    this.#sinceMs = nowMs
    if (phase === this.#phase) return
    this.#phase = phase
    if (this.#dueMs() < this.#firesAtMs) this.#arm(nowMs)
  }

  stop(): void {
    this.#clear()
    this.#firesAtMs = Number.NEGATIVE_INFINITY
  }

  #limitMs(): number {
    switch (this.#phase) {
      case 'connect':
        return this.#deadlines.connectMs
      case 'first-byte':
        return this.#deadlines.firstByteMs
      case 'between-chunks':
        return this.#deadlines.betweenChunksMs
      case 'write-stall':
        return this.#deadlines.writeStallMs
    }
  }

  #dueMs(): number {
    return Math.min(this.#sinceMs + this.#limitMs(), this.#deadlines.totalAtMs)
  }

  #arm(nowMs: number): void {
    this.#clear()
    const dueMs = this.#dueMs()
    this.#firesAtMs = dueMs
    this.#timer = setTimeout(
      () => {
        this.#timer = null
        this.#hearing = setImmediate(() => this.#look())
      },
      Math.max(0, Math.ceil(dueMs - nowMs)),
    )
  }

  #clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#hearing !== null) clearImmediate(this.#hearing)
    this.#timer = null
    this.#hearing = null
  }

  #look(): void {
    this.#hearing = null
    const nowMs = this.#nowMs()
    if (nowMs < this.#dueMs()) {
      this.#arm(nowMs)
    } else if (nowMs >= this.#deadlines.totalAtMs) {
      this.#expire('total', this.#limitMs())
    } else {
      this.#expire(this.#phase, this.#limitMs())
    }
  }
}
