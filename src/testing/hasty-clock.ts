import type { Clock } from '#std/clock.ts'

/** A clock on which every wait is over at once, and which remembers how long each would have been. */
export interface HastyClock extends Clock {
  readonly waitsMs: readonly number[]
}

export function hastyClock(): HastyClock {
  let nowMs = Date.UTC(2026, 0, 1)
  const waitsMs: number[] = []
  return {
    waitsMs,
    nowMs: () => nowMs,
    schedule(afterMs, run) {
      waitsMs.push(afterMs)
      const soon = setImmediate(() => {
        nowMs += afterMs
        run()
      })
      return () => clearImmediate(soon)
    },
  }
}
