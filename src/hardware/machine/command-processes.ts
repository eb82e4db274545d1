/**
 * All that a command has started, to end it as a whole. A group is not enough: a tool may move to a
 * session of its own, or leave a helper behind that init has adopted. On Linux its environment tells
 * such a one; elsewhere only children of children are found.
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { procPids, procStat } from '#std/proc-stat.ts'

/** In the environment of a command and of all that it starts, with a value of its own. */
export const commandMark = 'MOTLEY_COMMAND'

/** One process that runs. */
interface Running {
  readonly pid: number
  readonly parentPid: number
  /** Seconds after the boot; null where the system was not asked. */
  readonly startedAtSeconds: number | null
  /** Waits for a device or a disk: cannot be ended, and reading its memory might wait as well. */
  readonly isStuck: boolean
}

export interface CommandToEnd {
  /** Of the command, and of its group. */
  readonly pid: number
  /** Whether the command itself runs: else its number may be that of another by now. */
  readonly isRunning: boolean
  readonly mark: string
  /** How long the machine had been running when the command was started. */
  readonly startedAtSeconds: number
}

/** What starts others while it is being ended is looked for again, so often. */
const roundsMax = 5

/** Never rejects. */
export type EndCommand = (command: CommandToEnd) => Promise<void>

export function commandEnder(): EndCommand {
  const runningNow = shared(process.platform === 'linux' ? runningByProc : runningByPs)
  return async (command) => {
    let { isRunning } = command
    for (let round = 0; round < roundsMax; round++) {
      // Looked for before anything ends: whose parent is gone is nobody's child.
      const running = await runningNow()
      const found = [
        ...(isRunning ? childrenOf(command.pid, running) : []),
        ...(await markedBy(command, running)),
      ]
      isRunning = false
      kill(-command.pid)
      for (const pid of found) kill(pid)
      if (found.length === 0) return
    }
  }
}

/** A negative number is that of a group. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It is gone, as it should be.
  }
}

/** Many tools hang at once where a driver does: those who ask meanwhile share the next answer. */
function shared<Answer>(ask: () => Promise<Answer>): () => Promise<Answer> {
  let asked: Promise<Answer> | null = null
  let next: Promise<Answer> | null = null
  const start = () => {
    next = null
    asked = ask().finally(() => {
      asked = null
    })
    return asked
  }
  return () => {
    // What is under way may have passed over somebody who has just been started.
    if (asked !== null) next ??= asked.then(start, start)
    return next ?? start()
  }
}

/** It and all below it. */
function childrenOf(pid: number, running: readonly Running[]): readonly number[] {
  const found = [pid]
  // The list grows while it is walked.
  for (const each of found) {
    for (const { pid: child, parentPid } of running) if (parentPid === each) found.push(child)
  }
  return found
}

async function markedBy(
  { mark, startedAtSeconds }: CommandToEnd,
  running: readonly Running[],
): Promise<readonly number[]> {
  const candidates = running.filter(
    (each) =>
      !each.isStuck &&
      each.startedAtSeconds !== null &&
      each.startedAtSeconds >= startedAtSeconds - clockStepSeconds,
  )
  const marked = candidates.map(async ({ pid }) => {
    // Those of other users cannot be read, and are not ours.
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
    return environment.split('\0').includes(`${commandMark}=${mark}`) ? [pid] : []
  })
  return (await Promise.all(marked)).flat()
}

/** Both clocks count from the boot, in steps of a hundredth. */
const clockStepSeconds = 0.05
/** USER_HZ, which is 100 on every architecture that Node runs on. */
const ticksPerSecond = 100

async function runningByProc(): Promise<readonly Running[]> {
  const stats = (await procPids()).map(async (pid): Promise<Running[]> => {
    const stat = await procStat(pid)
    if (stat === null) return []
    const { parentPid, startTicks, state } = stat
    return [
      { pid, parentPid, startedAtSeconds: startTicks / ticksPerSecond, isStuck: state === 'D' },
    ]
  })
  return (await Promise.all(stats)).flat()
}

async function runningByPs(): Promise<readonly Running[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=']).catch(() => ({
    stdout: '',
  }))
  return stdout
    .trim()
    .split('\n')
    .map((row) => row.trim().split(/\s+/).map(Number))
    .map(([pid = 0, parentPid = 0]) => ({
      pid,
      parentPid,
      startedAtSeconds: null,
      isStuck: false,
    }))
}
