/** Ctrl-C while a machine is looked at. */
import { endRunningCommands } from '#hardware/machine/running-commands.ts'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * A signal ends the tools that are being asked, and then this process as it would have without us.
 * @returns what gives the signals back to whoever else listens.
 */
export function endProbesOnSignals(): () => void {
  const listeners = signals.map((signal) => {
    const listener = () => {
      void endRunningCommands().finally(() => process.kill(process.pid, signal))
    }
    // Once: a second signal does not wait for the tools.
    process.once(signal, listener)
    return { signal, listener }
  })
  return () => {
    for (const { signal, listener } of listeners) process.off(signal, listener)
  }
}
