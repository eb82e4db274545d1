/**
 * Time as the emulator sees it. Everything that waits goes through here, so that a test can hold
 * the hands of the clock and `speed` can turn them faster.
 */
export interface EmulatorClock {
  /** Milliseconds that only ever grow; the zero is arbitrary. */
  nowMs(): number
  /** Runs once, never earlier than asked. Returns a function that calls it off. */
  schedule(afterMs: number, run: () => void): () => void
}

/** Timers take 32 bits: a longer wait would fire at once, so it becomes the longest one. */
const timerMsMax = 2 ** 31 - 1

export const systemClock: EmulatorClock = {
  nowMs: () => performance.now(),
  schedule(afterMs, run) {
    const timer = setTimeout(run, Math.min(Math.max(afterMs, 0), timerMsMax))
    return () => clearTimeout(timer)
  },
}

/** The same clock, with hands that go `speed` times as fast. */
export function fasterClock(clock: EmulatorClock, speed: number): EmulatorClock {
  if (speed === 1) return clock
  return {
    nowMs: () => clock.nowMs() * speed,
    schedule: (afterMs, run) => clock.schedule(afterMs / speed, run),
  }
}
