/** What commands answered, and what went wrong with them, in words for a person. */
import type { Problem } from '#core/device.ts'
import type { Captured, CommandRun } from '#hardware/probe.ts'

/** What a command printed, also when it was ended early or failed: half a table is half a table. */
export function outputOf({ result }: CommandRun): string {
  return result.kind === 'ran' || result.kind === 'timeout' ? result.stdout : ''
}

/** All it printed, for reasons of a failure. */
export function wordsOf({ result }: CommandRun): string {
  return result.kind === 'ran' || result.kind === 'timeout'
    ? `${result.stdout}\n${result.stderr}`.trim()
    : ''
}

export function runsOf(captured: Captured, ...commands: readonly string[]): CommandRun[] {
  return captured.runs.filter(({ command }) => commands.includes(command))
}

/** Whether the program is there; null when nothing tells. */
export function isInstalled(captured: Captured, command: string): boolean | null {
  const kinds = runsOf(captured, command).map(({ result }) => result.kind)
  if (kinds.some((kind) => kind === 'ran' || kind === 'timeout' || kind === 'failed')) return true
  return kinds.includes('missing') ? false : null
}

/** One problem for each program that hung or could not be started, however often it was asked. */
export function runProblems(captured: Captured, commands: readonly string[]): Problem[] {
  return commands.flatMap((command) => {
    const runs = runsOf(captured, command)
    const failed = runs.map(({ result }) => result).find(({ kind }) => kind === 'failed')
    if (failed?.kind === 'failed') {
      return [
        {
          severity: 'warning' as const,
          what: `${command} cannot be started: ${failed.why}.`,
          why: 'What only this tool knows is missing from the list of devices.',
          fix: `Run "${command}" by hand, as the user Motley runs as, and mend what it says.`,
        },
      ]
    }
    const hung = runs.filter(({ result }) => result.kind === 'timeout')
    const first = hung[0]
    if (first?.result.kind !== 'timeout') return []
    const line = [command, ...first.args].join(' ')
    return [
      {
        severity: 'warning' as const,
        what: `"${line}" gave no answer in ${(first.result.afterMs / 1000).toFixed(1)} s and was ended.`,
        why: 'What only this tool knows is missing from the list of devices; engines that use the same driver may hang too.',
        fix: `Run "${line}" by hand. If it only is slow, "motley detect --timeout 30" waits longer; if it hangs, reboot or reset the device.`,
      },
    ]
  })
}

/** The first line of what a tool said, short enough for a sentence. */
export function firstLine(text: string): string {
  const line = text.split(/\r?\n/).find((one) => one.trim() !== '') ?? ''
  return line.trim().slice(0, 160).toWellFormed()
}

/** A tool that ended with an error and told nothing that could be read. */
export function unreadableProblem(run: CommandRun): Problem | null {
  if (run.result.kind !== 'ran') return null
  const line = [run.command, ...run.args].join(' ')
  const words = firstLine(wordsOf(run))
  const said = words === '' ? 'printed nothing' : `said: ${words}`
  return {
    severity: 'warning',
    what: `"${line}" ended with ${run.result.exitCode} and ${said}`,
    why: 'What only this tool knows is missing from the list of devices.',
    fix: `Run "${line}" by hand and mend what it says.`,
  }
}
