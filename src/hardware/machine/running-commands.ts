/**
 * Commands of this process that have not ended. They lead groups of their own, so what ends this
 * process, a Ctrl-C in its terminal say, does not end them; and one that hangs would hang for ever.
 */
import { kill } from '#hardware/machine/command-processes.ts'

export interface RunningCommand {
  readonly pid: number
  /** Ends it with all that it has started. Never rejects. */
  end(): Promise<void>
}

const running = new Set<RunningCommand>()
let isListening = false

/** @returns what is to be called when it has ended. */
export function noteRunning(command: RunningCommand): () => void {
  running.add(command)
  if (!isListening) {
    isListening = true
    // There is no time left for more than the groups.
    process.once('exit', () => {
      for (const { pid } of running) kill(-pid)
    })
  }
  return () => {
    running.delete(command)
  }
}

/** Resolves when all of them have been told to end. Never rejects. */
export async function endRunningCommands(): Promise<void> {
  await Promise.all([...running].map((command) => command.end()))
}
