/** Processes as Linux shows them in /proc: who started each, its group, and since when it runs. */
import { readdir, readFile } from 'node:fs/promises'

/** The fields of /proc/<pid>/stat that matter. */
export interface ProcStat {
  /** One letter: R runs, S sleeps, D sleeps and cannot be woken, T is stopped. */
  readonly state: string
  readonly parentPid: number
  readonly groupPid: number
  /** In ticks since the boot. */
  readonly startTicks: number
}

/** Null when there is no such process, or only what is left of one that has ended. */
export async function procStat(pid: number): Promise<ProcStat | null> {
  // The process may end at any moment: then it is not there, which is the answer.
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  return line === null ? null : readProcStat(line)
}

/** All that run, the lowest number first. */
export async function procPids(): Promise<number[]> {
  const names = await readdir('/proc')
  return names
    .map(Number)
    .filter(Number.isInteger)
    .sort((a, b) => a - b)
}

/**
 * Field 2 is the command's name in parentheses and may hold spaces and parentheses itself, so the
 * fields are counted from the last one on. See proc_pid_stat(5).
 */
export function readProcStat(line: string): ProcStat | null {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  const [state, parent, group] = fields
  const startTicks = Number(fields[19])
  if (state === undefined || !Number.isFinite(startTicks)) return null
  if (state === 'Z' || state === 'X') return null
  return { state, parentPid: Number(parent), groupPid: Number(group), startTicks }
}
