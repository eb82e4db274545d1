import type { EmulatorClock } from '#emulator/clock.ts'
import type { FaultScript } from '#emulator/fault-script.ts'
import type { Listener } from '#emulator/listener.ts'

export interface PresenceOptions {
  readonly listener: Listener
  readonly clock: EmulatorClock
  /** As it is now: a script may be replaced. */
  readonly script: () => FaultScript
  /** Until then its port is closed, where the engine loads before it listens; else in the past. */
  readonly opensAtMs: number
}

/** Whether the emulator listens: as loading and the script say, at every moment when that changes. */
export class Presence {
  readonly #options: PresenceOptions
  #callOff: (() => void) | null = null
  #isOver = false

  constructor(options: PresenceOptions) {
    this.#options = options
  }

  /** Opens once in any case: only then is a free port known. */
  async start(): Promise<void> {
    await this.#options.listener.open()
    await this.adjust()
  }

  async adjust(): Promise<void> {
    const { listener, clock, script, opensAtMs } = this.#options
    this.#callOff?.()
    this.#callOff = null
    if (this.#isOver) return
    const untilOpenMs = opensAtMs - clock.nowMs()
    const isDeaf = untilOpenMs > 0
    const nextMs = Math.min(
      script().refusalChangesInMs() ?? Number.POSITIVE_INFINITY,
      isDeaf ? untilOpenMs : Number.POSITIVE_INFINITY,
    )
    if (Number.isFinite(nextMs)) {
      this.#callOff = clock.schedule(nextMs, () => void this.adjust())
    }
    if (isDeaf || script().refusesNow()) await listener.shut('reset')
    else await listener.open()
  }

  async end(): Promise<void> {
    this.#isOver = true
    this.#callOff?.()
    await this.#options.listener.shut('close')
  }
}
