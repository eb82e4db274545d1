/** Time, handed to whatever waits, so that a test can hold the hands of the clock. */
export interface Clock {
  /** Milliseconds since 1970 that never go back while the process runs. */
  nowMs(): number
  /** Runs once, never earlier than asked. Returns a function that calls it off. */
  schedule(afterMs: number, run: () => void): () => void
}

/** Timers take 32 bits: a longer wait would fire at once, so it becomes the longest one. */
const timerMsMax = 2 ** 31 - 1

export const systemClock: Clock = {
  // Date.now() jumps when somebody sets the machine's clock; this does not.
  nowMs: () => performance.timeOrigin + performance.now(),
  schedule(afterMs, run) {
    const timer = setTimeout(run, Math.min(Math.max(afterMs, 0), timerMsMax))
    return () => clearTimeout(timer)
  },
}
