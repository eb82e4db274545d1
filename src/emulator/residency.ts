import type { EmulatorClock } from '#emulator/clock.ts'
import type { ResidentModel } from '#emulator/dialect.ts'

interface Stay {
  readonly readyAtMs: number
  expiresAtMs: number
}

const defaultKeepAliveMs = 5 * 60_000

/** Which models are in memory, for engines that load them when asked and drop them when idle. */
export class Residency {
  readonly #clock: EmulatorClock
  readonly #loadMs: number
  readonly #stays = new Map<string, Stay>()

  constructor(clock: EmulatorClock, loadMs: number) {
    this.#clock = clock
    this.#loadMs = loadMs
  }

  /** Asks for a model. Returns how long it still loads, and prolongs its stay by `keepAlive`. */
  touch(model: string, keepAlive: unknown): number {
    const nowMs = this.#clock.nowMs()
    const known = this.#stays.get(model)
    const stay: Stay =
      known !== undefined && known.expiresAtMs > nowMs
        ? known
        : { readyAtMs: nowMs + this.#loadMs, expiresAtMs: 0 }
    stay.expiresAtMs = Math.max(nowMs, stay.readyAtMs) + keepAliveMs(keepAlive)
    if (keepAlive === 0) this.#stays.delete(model)
    else this.#stays.set(model, stay)
    return keepAlive === 0 ? 0 : Math.max(0, stay.readyAtMs - nowMs)
  }

  /** `wallMs` turns the times into those of a calendar. */
  list(wallMs: number): readonly ResidentModel[] {
    const nowMs = this.#clock.nowMs()
    return [...this.#stays]
      .filter(([, stay]) => stay.readyAtMs <= nowMs && stay.expiresAtMs > nowMs)
      .map(([model, stay]) => ({
        model,
        expiresAtMs: wallMs + Math.min(stay.expiresAtMs - nowMs, foreverMs),
      }))
  }
}

/** Ollama's way of saying never is a date far in the future. */
const foreverMs = 100 * 365 * 86_400_000

const msPerUnit: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Seconds as a number, or a text as `5m`; negative for ever. */
function keepAliveMs(keepAlive: unknown): number {
  if (typeof keepAlive === 'number') return keepAlive < 0 ? foreverMs : keepAlive * 1000
  const match = typeof keepAlive === 'string' ? /^(-?\d+)(ms|s|m|h)?$/.exec(keepAlive) : null
  if (match === null) return defaultKeepAliveMs
  const amount = Number(match[1])
  return amount < 0 ? foreverMs : amount * (msPerUnit[match[2] ?? 's'] ?? 1000)
}
