/** Ctrl-C while a command has something to bring to an end. */

/** What shells expect of a command that Ctrl-C has ended. */
export const stoppedExitCode = 130

/**
 * npm, and our own bin under an old Node, pass on the Ctrl-C that the terminal has sent to every process
 * already, so one wish to stop can arrive twice; a person takes longer to press it again.
 */
export const sameWishMs = 400

/**
 * The first wish to stop calls `stop`; whoever wishes it once more does not wait for the end.
 * @returns what gives the signals back.
 */
export function onStopSignals(
  stop: () => void,
  { nowMs, exit }: { readonly nowMs: () => number; readonly exit: (code: number) => void } = {
    nowMs: () => performance.now(),
    exit: (code) => process.exit(code),
  },
): () => void {
  let firstAtMs: number | null = null
  const listener = (): void => {
    if (firstAtMs === null) {
      firstAtMs = nowMs()
      stop()
    } else if (nowMs() - firstAtMs > sameWishMs) exit(stoppedExitCode)
  }
  const signals = ['SIGINT', 'SIGTERM'] as const
  for (const signal of signals) process.on(signal, listener)
  return () => {
    for (const signal of signals) process.off(signal, listener)
  }
}
