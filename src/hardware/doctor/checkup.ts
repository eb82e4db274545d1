/** What doctor asks beside the probes: users and groups, container software, disks. */
import type { Checkup, Disk, Docker } from '#hardware/doctor/rule.ts'
import type { Captured, CommandSource, Probe } from '#hardware/probe.ts'
import { isInstalled, outputOf, runsOf } from '#hardware/probe-answers.ts'
import { countIn, nodeBytes } from '#hardware/probe-fields.ts'
import { readSysctl } from '#hardware/probe-macos.ts'
import { parseJson } from '#std/parse-json.ts'

const ask = (command: string, ...args: readonly string[]): CommandSource => ({
  command,
  args,
  timeoutMs: 3_000,
})

/** A probe without devices. `dataDirectory` is where weights will lie. */
export function checkupProbe(dataDirectory: string): Probe {
  return {
    vendor: 'cpu',
    commands: [
      ask('id'),
      ask('ls', '/dev', '/dev/dri'),
      ask('docker', 'info', '--format', '{{json .Runtimes}}'),
      ask('nvidia-ctk', '--version'),
      ask('df', '-Pk', dataDirectory),
      // Where the folder does not exist yet, its disk is that of the root.
      ask('df', '-Pk', '/'),
      ask('df', '-Pk', '/dev/shm'),
      ask('sysctl', 'sysctl.proc_translated'),
    ],
    files: [],
    variables: ['HSA_OVERRIDE_GFX_VERSION'],
    read: () => ({ sources: [], problems: [] }),
  }
}

export function readCheckup(captured: Captured): Checkup {
  const id = firstText(captured, 'id')
  const names = deviceNames(captured)
  const groups = /groups=(.*)$/m.exec(id)?.[1]
  const sysctl = new Map(
    runsOf(captured, 'sysctl').flatMap((run) => [...readSysctl(outputOf(run))]),
  )
  const translated = sysctl.get('sysctl.proc_translated')
  return {
    userId: countIn(/uid=(\d+)/.exec(id)?.[1], 2 ** 32),
    groups:
      groups === undefined ? null : [...groups.matchAll(/\(([^)]+)\)/g)].map((one) => one[1] ?? ''),
    hasKfd: names?.has('kfd') ?? null,
    hasRenderNode: names === null ? null : [...names].some((name) => /^renderD\d+$/.test(name)),
    hasNvidiaUvm: names?.has('nvidia-uvm') ?? null,
    docker: readDocker(captured),
    containerToolkit: isInstalled(captured, 'nvidia-ctk'),
    hsaOverride: captured.variables.get('HSA_OVERRIDE_GFX_VERSION') || null,
    disk: readDisk(captured),
    sharedMemoryBytes: freeOf(captured, '/dev/shm')?.totalBytes ?? null,
    isTranslated: translated === undefined ? null : translated === '1',
  }
}

function firstText(captured: Captured, command: string): string {
  return (
    runsOf(captured, command)
      .map(outputOf)
      .find((text) => text !== '') ?? ''
  )
}

/** `ls` names what is there, and complains on standard error about what is not. */
function deviceNames(captured: Captured): ReadonlySet<string> | null {
  const names = firstText(captured, 'ls').split(/\s+/).filter(Boolean)
  return names.includes('null') ? new Set(names) : null
}

function readDocker(captured: Captured): Docker | null {
  const run = runsOf(captured, 'docker').find(({ result }) => result.kind === 'ran')
  if (run === undefined) return null
  const runtimes = parseJson(outputOf(run))
  return {
    runtimes: typeof runtimes === 'object' && runtimes !== null ? Object.keys(runtimes) : null,
  }
}

function readDisk(captured: Captured): Disk | null {
  const paths = runsOf(captured, 'df').map(({ args }) => args[1] ?? '')
  const path = paths.find((one) => one !== '/dev/shm' && one !== '/' && freeOf(captured, one))
  const free = freeOf(captured, path ?? '/')
  return free === null ? null : { path: path ?? '/', freeBytes: free.freeBytes }
}

/** The last line of `df -Pk`: name, total, used, free (each in KiB), share, folder. */
function freeOf(
  captured: Captured,
  path: string,
): { readonly totalBytes: number; readonly freeBytes: number } | null {
  const run = runsOf(captured, 'df').find(({ args }) => args[1] === path)
  const line = run === undefined ? '' : (outputOf(run).trim().split(/\r?\n/).at(-1) ?? '')
  const match = /\s(\d+)\s+\d+\s+(\d+)\s+\d+%\s/.exec(line)
  const [total, free] = [nodeKiB(match?.[1]), nodeKiB(match?.[2])]
  return total === null || free === null ? null : { totalBytes: total, freeBytes: free }
}

/** Disks are larger than memory; what is too large to be believed is as good as plenty. */
function nodeKiB(text: string | undefined): number | null {
  const kib = countIn(text, 2 ** 50)
  return kib === null ? null : (nodeBytes(`${kib} kB`) ?? 2 ** 45)
}
