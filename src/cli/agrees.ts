/** Asks whether to do what cannot be taken back at once: on a terminal, or answered before by `--yes`. */
import { createInterface } from 'node:readline/promises'
import { CommandFailure } from '#cli/command-failure.ts'

interface Doubt {
  /** As `Apply this?`. */
  readonly question: string
  /** What is so when the answer is no, as `nothing was applied`. */
  readonly undone: string
  /** What `--yes` is for, as `apply it`. */
  readonly toDo: string
}

/**
 * Returns where the answer is yes.
 * @throws {CommandFailure} where it is no, and where there is nobody to ask.
 */
export async function agrees(yes: boolean | undefined, doubt: Doubt): Promise<void> {
  const { question, undone, toDo } = doubt
  if (yes === true) return
  if (process.stdin.isTTY !== true) {
    throw new CommandFailure('wrong', `nobody can be asked here: add --yes to ${toDo}`)
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  // Ctrl-C and Ctrl-D are keys here: the terminal makes no signals while a line is edited.
  const leaving = new AbortController()
  terminal.once('SIGINT', () => leaving.abort())
  terminal.once('close', () => leaving.abort())
  try {
    const { signal } = leaving
    const answer = await terminal.question(`\n${question} (y/N) `, { signal })
    if (!/^y(es)?$/i.test(answer.trim())) throw new CommandFailure('no', undone)
  } catch (error) {
    if (!leaving.signal.aborted) throw error
    process.stderr.write('\n')
    throw new CommandFailure('stopped', `stopped; ${undone}`, { cause: error })
  } finally {
    terminal.close()
  }
}
