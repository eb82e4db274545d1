/** Watches what is asked of a machine and writes it down as a recording that can be replayed. */
import type { Mask } from '#hardware/machine/mask.ts'
import type { RecordingFile } from '#hardware/machine/recording.ts'
import type { CommandResult, CommandRun, Machine } from '#hardware/probe.ts'

export interface Recorder {
  /** The machine, to be asked as usual. */
  readonly machine: Machine
  /** The files of the recording, by name; machine.json is one of them. */
  write(about: string, mask: Mask): Promise<ReadonlyMap<string, string>>
}

export function recorderOf(machine: Machine): Recorder {
  const runs: CommandRun[] = []
  const files = new Map<string, string>()
  const links = new Map<string, string>()
  const variables = new Map<string, string>()
  return {
    machine: {
      ...machine,
      async run(command, args, timeoutMs) {
        const result = await machine.run(command, args, timeoutMs)
        runs.push({ command, args, result })
        return result
      },
      async readFile(path) {
        const text = await machine.readFile(path)
        if (text !== null) files.set(path, text)
        return text
      },
      async readLink(path) {
        const target = await machine.readLink(path)
        if (target !== null) links.set(path, target)
        return target
      },
      variable(name) {
        const value = machine.variable(name)
        if (value !== null) variables.set(name, value)
        return value
      },
    },
    async write(about, mask) {
      const parts = new Map<string, string>()
      const commands = runs
        .toSorted((one, other) => line(one).localeCompare(line(other)))
        .map((run) => entryOf(run, parts, mask))
      const dump = [
        ...[...files].map(([path, text]) => `### ${path}\n${text.replace(/\n*$/, '\n')}`),
        ...[...links].map(([path, target]) => `### ${path} -> ${target}\n`),
      ].sort()
      if (dump.length > 0) parts.set('files.txt', mask(`${dump.join('\n')}`))
      const basics = await machine.basics()
      const recording = {
        system: machine.system,
        about,
        basics,
        variables: Object.fromEntries([...variables].map(([name, value]) => [name, mask(value)])),
        commands,
        files: dump.length > 0 ? [{ dump: 'files.txt' }] : [],
      }
      return new Map([['machine.json', `${JSON.stringify(recording, null, 2)}\n`], ...parts])
    },
  }
}

function line({ command, args }: CommandRun): string {
  return [command, ...args].join(' ')
}

type Entry = Partial<RecordingFile['commands'][number]> & { readonly run: string[] }

function entryOf(
  { command, args, result }: CommandRun,
  parts: Map<string, string>,
  mask: Mask,
): Entry {
  const run = [command, ...args.map(mask)]
  if (result.kind === 'missing' || result.kind === 'unknown') return { run, outcome: 'missing' }
  if (result.kind === 'failed') return { run, outcome: 'failed', why: mask(result.why) }
  const name = fileName(run, parts)
  const put = (kind: 'stdout' | 'stderr', text: string): Partial<Entry> => {
    if (text === '') return {}
    const file = kind === 'stdout' ? `${name}.txt` : `${name}.stderr.txt`
    parts.set(file, mask(text))
    return { [kind]: file }
  }
  const said = { ...put('stdout', result.stdout), ...put('stderr', result.stderr) }
  return { run, ...outcomeOf(result), ...said }
}

function outcomeOf(result: CommandResult): Partial<Entry> {
  if (result.kind === 'timeout') return { outcome: 'timeout', afterMs: Math.round(result.afterMs) }
  return result.kind === 'ran' && result.exitCode !== 0 ? { exitCode: result.exitCode } : {}
}

/** nvidia-smi-q-x: short, and never twice. */
function fileName(run: readonly string[], parts: ReadonlyMap<string, string>): string {
  const base = run
    .join('-')
    .replace(/[^A-Za-z0-9.]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 60)
  for (let number = 1; ; number++) {
    const name = number === 1 ? base : `${base}-${number}`
    if (!parts.has(`${name}.txt`) && !parts.has(`${name}.stderr.txt`)) return name
  }
}
