/**
 * The processes of a group and the memory of the machine that each has: its resident set, mapped
 * files included. Linux is read from /proc, other Unix systems through `ps`.
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { procPids, procStat } from '#std/proc-stat.ts'

export interface ProcessMemory {
  readonly pid: number
  readonly residentBytes: number
  /** Of that, mapped files, as weights are to some engines; 0 where the system does not tell. */
  readonly mappedBytes: number
}

/** Empty when none of the group runs any more. Pages that two of them share count twice. */
export async function groupMemory(leaderPid: number): Promise<ProcessMemory[]> {
  return process.platform === 'linux' ? await groupByProc(leaderPid) : await groupByPs(leaderPid)
}

async function groupByProc(leaderPid: number): Promise<ProcessMemory[]> {
  const processes = await Promise.all(
    (await procPids()).map(async (pid): Promise<ProcessMemory[]> => {
      // A process may end at any moment: then it has no memory, which is the answer.
      if ((await procStat(pid))?.groupPid !== leaderPid) return []
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
      const residentBytes = readStatusBytes(status, 'VmRSS')
      const mappedBytes = readStatusBytes(status, 'RssFile') ?? 0
      return residentBytes === null ? [] : [{ pid, residentBytes, mappedBytes }]
    }),
  )
  return processes.flat()
}

/** Of /proc/<pid>/status, which counts in units of 1024 bytes; see proc_pid_status(5). */
export function readStatusBytes(status: string, field: 'VmRSS' | 'RssFile'): number | null {
  const [, kib] = new RegExp(`^${field}:\\s*(\\d+) kB$`, 'm').exec(status) ?? []
  return kib === undefined ? null : Number(kib) * 1_024
}

async function groupByPs(leaderPid: number): Promise<ProcessMemory[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pgid=,pid=,rss='])
  return readPsMemory(stdout, leaderPid)
}

/** Lines of `ps -A -o pgid=,pid=,rss=`, as `  412   415  81920`; it counts in units of 1024 bytes. */
export function readPsMemory(text: string, leaderPid: number): ProcessMemory[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([group, pid, kib]) =>
      group === leaderPid && pid !== undefined && kib !== undefined && Number.isFinite(kib)
        ? [{ pid, residentBytes: kib * 1_024, mappedBytes: 0 }]
        : [],
    )
}
