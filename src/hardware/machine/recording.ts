/**
 * A machine as it was once: a folder with machine.json, what commands printed, and a dump of files.
 *
 *   machine.json   which command gave which output, which variables were set
 *   commands/*     what each printed, as it was
 *   files.txt      "### /path" and the text of that file below it; "### /path -> target" for a link
 *
 * Such a folder can be written by hand from what people paste into issues: what it does not hold is
 * unknown, neither there nor missing.
 */
import { z } from 'zod'
import type { CommandResult, CommandRun, Machine } from '#hardware/probe.ts'

const command = z.strictObject({
  /** The program and its arguments. */
  run: z.array(z.string()).min(1),
  /** `missing` when there was no such program. */
  outcome: z.enum(['ran', 'missing', 'timeout', 'failed']).default('ran'),
  exitCode: z.int().default(0),
  /** For `timeout`: how long it was given. */
  afterMs: z.number().default(0),
  /** For `failed`: the words of the system. */
  why: z.string().default(''),
  /** Names of files beside machine.json; left out for nothing. */
  stdout: z.string().optional(),
  stderr: z.string().optional(),
})

export const recordingFile = z.strictObject({
  system: z.enum(['linux', 'darwin', 'win32', 'freebsd']),
  /** What this machine is and where its recording comes from. */
  about: z.string().default(''),
  basics: z
    .strictObject({
      cpuName: z.string(),
      architecture: z.string(),
      threads: z.int(),
      memoryBytes: z.int(),
      freeMemoryBytes: z.int(),
    })
    .nullable()
    .default(null),
  variables: z.record(z.string(), z.string()).default({}),
  commands: z.array(command).default([]),
  files: z.array(z.strictObject({ dump: z.string(), under: z.string().default('') })).default([]),
})
export type RecordingFile = z.output<typeof recordingFile>

/** Reads a file of the recording by its name; null when it is not there. */
export type ReadPart = (name: string) => string | null

export function recordedMachine(recording: RecordingFile, readPart: ReadPart): Machine {
  const files = new Map<string, string>()
  const links = new Map<string, string>()
  for (const { dump, under } of recording.files) readDump(readPart(dump) ?? '', under, files, links)
  const folders = foldersOf([...files.keys(), ...links.keys()])
  const runs = recording.commands.map((entry): CommandRun => {
    const [program = '', ...args] = entry.run
    return { command: program, args, result: resultOf(entry, readPart) }
  })
  return {
    system: recording.system,
    async run(program, args) {
      const found = runs.find(
        (run) => run.command === program && run.args.join('\0') === args.join('\0'),
      )
      if (found !== undefined) return found.result
      // One "missing" tells of the program, whatever it is asked.
      const gone = runs.find((run) => run.command === program && run.result.kind === 'missing')
      return gone?.result ?? { kind: 'unknown' }
    },
    readFile: async (path) => files.get(path) ?? null,
    listDirectory: async (path) => [...(folders.get(path) ?? [])].sort(),
    readLink: async (path) => links.get(path) ?? null,
    variable: (name) => recording.variables[name] ?? null,
    basics: async () => recording.basics,
    otherRuns: async (program) => runs.filter((run) => run.command === program),
  }
}

function resultOf(entry: z.output<typeof command>, readPart: ReadPart): CommandResult {
  const part = (name: string | undefined): string =>
    name === undefined ? '' : (readPart(name) ?? '')
  const said = { stdout: part(entry.stdout), stderr: part(entry.stderr) }
  switch (entry.outcome) {
    case 'ran':
      return { kind: 'ran', exitCode: entry.exitCode, ...said }
    case 'timeout':
      return { kind: 'timeout', afterMs: entry.afterMs, ...said }
    case 'failed':
      return { kind: 'failed', why: entry.why }
    case 'missing':
      return { kind: 'missing' }
  }
}

function readDump(
  text: string,
  under: string,
  files: Map<string, string>,
  links: Map<string, string>,
): void {
  for (const block of text.split(/^### /m).slice(1)) {
    const end = block.indexOf('\n')
    const head = (end < 0 ? block : block.slice(0, end)).trimEnd()
    const [path = '', target] = head.split(' -> ')
    const full = `${under}/${path}`.replaceAll(/\/+/g, '/')
    if (target !== undefined) links.set(full, target)
    else files.set(full, end < 0 ? '' : block.slice(end + 1).replace(/\n+$/, '\n'))
  }
}

function foldersOf(paths: readonly string[]): Map<string, Set<string>> {
  const folders = new Map<string, Set<string>>()
  for (const path of paths) {
    const parts = path.split('/')
    for (let depth = 1; depth < parts.length; depth++) {
      const folder = parts.slice(0, depth).join('/')
      const names = folders.get(folder) ?? new Set()
      folders.set(folder, names.add(parts[depth] ?? ''))
    }
  }
  return folders
}
