/** Looks at something now and then, and sooner when there is reason to; never twice at a time. */
import type { Clock } from '#std/clock.ts'

export interface LookOptions {
  readonly clock: Clock
  readonly everyMs: number
  /** How long after a reason, so that several make one look. */
  readonly soonMs: number
  /** Must not reject. */
  readonly look: () => Promise<void>
  readonly onSeen: () => void
}

export class RepeatedLook {
  readonly #options: LookOptions
  #cancel: () => void = () => {}
  #closed = false
  #looking = false
  #again = false
  #isSoon = false

  constructor(options: LookOptions) {
    this.#options = options
  }

  get isClosed(): boolean {
    return this.#closed
  }

  later(): void {
    this.#plan(this.#options.everyMs)
  }

  soon(): void {
    if (this.#looking) this.#again = true
    else if (!this.#isSoon) {
      this.#isSoon = true
      this.#plan(this.#options.soonMs)
    }
  }

  close(): void {
    this.#closed = true
    this.#cancel()
  }

  #plan(afterMs: number): void {
    if (this.#closed) return
    this.#cancel()
    this.#cancel = this.#options.clock.schedule(afterMs, () => void this.#look())
  }

  async #look(): Promise<void> {
    this.#isSoon = false
    this.#looking = true
    await this.#options.look()
    this.#looking = false
    if (this.#closed) return
    this.#options.onSeen()
    if (this.#again) {
      this.#again = false
      this.soon()
    } else this.later()
  }
}
