/**
 * Processes that outlive the one that started them: how each is told from a later one that has got
 * the same number, whether it runs, and how all of its group end. Linux is read from /proc, other
 * Unix systems through `ps`.
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { uptime } from 'node:os'
import { promisify } from 'node:util'
import { procPids, procStat } from '#std/proc-stat.ts'

/** A process, told apart from every other that ever ran or will run on this machine. */
export interface ProcessMark {
  /** Of a process that leads its group, so the number of the group as well. */
  readonly pid: number
  /**
   * When it started, in the system's own words; compared, never read. On Linux the boot and the
   * tick within it: a clock that is set does not change it, and after a boot no mark fits.
   */
  readonly started: string
}

/** Null when there is no such process, or only what is left of one that has ended. */
export async function markOf(pid: number): Promise<ProcessMark | null> {
  const started = process.platform === 'linux' ? await startedByProc(pid) : await startedByPs(pid)
  return started === null ? null : { pid, started }
}

export async function isRunning(mark: ProcessMark): Promise<boolean> {
  return (await markOf(mark.pid))?.started === mark.started
}

/** Whether any process of the group runs. Ended ones that nobody has collected do not count. */
export async function isGroupRunning(leaderPid: number): Promise<boolean> {
  if (!signalGroup(leaderPid, 0)) return false
  const groups = process.platform === 'linux' ? await groupsByProc() : await groupsByPs()
  return groups.has(leaderPid)
}

/** Returns whether there was anyone to hear it. */
export function signalGroup(leaderPid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-leaderPid, signal)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error) {
      if (error.code === 'ESRCH') return false
      // macOS answers so for a group of which only ended processes are left.
      if (error.code === 'EPERM') return false
    }
    throw error
  }
}

/**
 * The running leader of a group whose environment holds `name=value`; null when there is none, or
 * when the system (not Linux) does not show environments.
 */
export async function findLeaderByEnvironment(
  name: string,
  value: string,
): Promise<ProcessMark | null> {
  if (process.platform !== 'linux') return null
  for (const pid of await procPids()) {
    // Those of other users cannot be read, and are not ours.
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
    if (!environment.split('\0').includes(`${name}=${value}`)) continue
    if ((await procStat(pid))?.groupPid === pid) return await markOf(pid)
  }
  return null
}

/**
 * Whether processes of this group may still be those of a leader that has gone. Its number stays
 * taken as long as the group has a member, so another process with this number ends the doubt; and
 * so does a boot.
 */
export async function isGroupOf(gone: ProcessMark): Promise<boolean> {
  return (await markOf(gone.pid)) === null && (await isOfThisBoot(gone))
}

async function isOfThisBoot({ started }: ProcessMark): Promise<boolean> {
  if (process.platform === 'linux') return started.startsWith(`${await readBootId()}/`)
  return Date.parse(`${started} UTC`) >= Date.now() - uptime() * 1_000
}

async function startedByProc(pid: number): Promise<string | null> {
  const stat = await procStat(pid)
  return stat === null ? null : `${await readBootId()}/${stat.startTicks}`
}

async function readBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
}

async function groupsByProc(): Promise<Set<number>> {
  const stats = await Promise.all((await procPids()).map(procStat))
  return new Set(stats.flatMap((stat) => (stat === null ? [] : [stat.groupPid])))
}

/** Without the user's locale, in which `ps` writes its dates. */
async function ps(...args: readonly string[]): Promise<string> {
  const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' }
  const { stdout } = await promisify(execFile)('ps', args, { env })
  return stdout
}

async function startedByPs(pid: number): Promise<string | null> {
  // `ps` exits with 1 when there is no such process.
  return readPsStart(await ps('-o', 'stat=,lstart=', '-p', String(pid)).catch(() => ''))
}

/** One line of `ps -o stat=,lstart=`, as `Ss   Sat Nov 21 10:57:00 2026`. */
export function readPsStart(line: string): string | null {
  const [state, ...started] = line.trim().split(/\s+/)
  if (state === undefined || state.startsWith('Z') || started.length === 0) return null
  return started.join(' ')
}

async function groupsByPs(): Promise<Set<number>> {
  return readPsGroups(await ps('-A', '-o', 'pgid=,stat='))
}

/** Lines of `ps -A -o pgid=,stat=`, as `  412 Ss`. */
export function readPsGroups(text: string): Set<number> {
  const rows = text.split('\n').map((line) => line.trim().split(/\s+/))
  return new Set(
    rows.flatMap(([group, state]) =>
      group === undefined || state === undefined || state.startsWith('Z') ? [] : [Number(group)],
    ),
  )
}
