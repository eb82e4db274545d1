/**
 * Asks a machine what the probes want to know, all at once and within one limit of time. A command
 * that several probes want is run once.
 */
import type {
  Captured,
  CommandResult,
  CommandRun,
  CommandSource,
  Machine,
  Probe,
} from '#hardware/probe.ts'
import type { Clock } from '#std/clock.ts'

/**
 * For everything together. With the start of the program it keeps `motley detect` within 5 s even
 * where every tool hangs; tools that live answer within 0.1 s, nvidia-smi without persistence mode
 * within 2 s.
 */
export const detectMsMax = 3_500

/** Of the time, for the first questions of a probe that has more. */
const firstShare = 0.6

/** Beyond this a folder is no folder of devices. */
const matchesMax = 4_096

export async function capture(
  probes: readonly Probe[],
  machine: Machine,
  options: { readonly clock: Clock; readonly limitMs?: number },
): Promise<Map<Probe, Captured>> {
  const { clock } = options
  const deadlineMs = clock.nowMs() + (options.limitMs ?? detectMsMax)
  // One tool that hangs must leave time for what another one's answer makes worth asking.
  const firstUntilMs = clock.nowMs() + (deadlineMs - clock.nowMs()) * firstShare
  const asked = new Map<string, Promise<CommandRun>>()
  const once = (source: CommandSource, untilMs: number): Promise<CommandRun> => {
    const key = JSON.stringify([source.command, ...source.args])
    const run = asked.get(key) ?? runWithin(machine, source, untilMs - clock.nowMs())
    asked.set(key, run)
    return run
  }
  const basics = await machine.basics()
  const files = inTime(new FileReader(machine), clock, deadlineMs)
  const entries = await Promise.all(
    probes.map(async (probe): Promise<[Probe, Captured]> => {
      const untilMs = probe.followUps === undefined ? deadlineMs : firstUntilMs
      const [runs, texts, links] = await Promise.all([
        Promise.all(probe.commands.map((source) => once(source, untilMs))),
        files((reader) => reader.texts(probe.files)),
        files((reader) => reader.links(probe.links ?? [])),
      ])
      const names = new Set([
        ...probe.commands.map(({ command }) => command),
        ...(probe.recordedCommands ?? []),
      ])
      const others = await Promise.all([...names].map((name) => machine.otherRuns(name)))
      const captured: Captured = {
        system: machine.system,
        runs: [...runs, ...others.flat().filter((run) => !isAmong(run, runs))],
        basics,
        files: texts,
        links,
        variables: new Map(
          (probe.variables ?? []).flatMap((name) => {
            const value = machine.variable(name)
            return value === null ? [] : [[name, value] as const]
          }),
        ),
      }
      const next = probe.followUps?.(captured) ?? []
      const more = await Promise.all(next.map((source) => once(source, deadlineMs)))
      const fresh = more.filter((run) => !isAmong(run, captured.runs))
      return [probe, { ...captured, runs: [...captured.runs, ...fresh] }]
    }),
  )
  return new Map(entries)
}

async function runWithin(
  machine: Machine,
  { command, args, timeoutMs }: CommandSource,
  leftMs: number,
): Promise<CommandRun> {
  const limitMs = Math.min(timeoutMs, leftMs)
  const result: CommandResult =
    limitMs > 0 ? await machine.run(command, args, limitMs) : { kind: 'unknown' }
  return { command, args, result }
}

function isAmong({ command, args }: CommandRun, runs: readonly CommandRun[]): boolean {
  return runs.some((run) => run.command === command && run.args.join('\0') === args.join('\0'))
}

/** Files of a mounted host may lie on a disk that does not answer: what came in time counts. */
function inTime(
  reader: FileReader,
  clock: Clock,
  deadlineMs: number,
): (
  read: (reader: FileReader) => Promise<ReadonlyMap<string, string>>,
) => Promise<ReadonlyMap<string, string>> {
  return (read) =>
    new Promise((resolve) => {
      const callOff = clock.schedule(deadlineMs - clock.nowMs(), () => resolve(new Map()))
      read(reader).then((found) => {
        callOff()
        resolve(found)
      })
    })
}

class FileReader {
  readonly #machine: Machine
  readonly #folders = new Map<string, Promise<readonly string[]>>()
  readonly #texts = new Map<string, Promise<string | null>>()

  constructor(machine: Machine) {
    this.#machine = machine
  }

  texts(patterns: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#each(patterns, (path) => {
      const text = this.#texts.get(path) ?? this.#machine.readFile(path)
      this.#texts.set(path, text)
      return text
    })
  }

  links(patterns: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#each(patterns, async (path) => {
      const target = await this.#machine.readLink(path)
      return target?.split('/').filter(Boolean).pop() ?? null
    })
  }

  async #each(
    patterns: readonly string[],
    read: (path: string) => Promise<string | null>,
  ): Promise<ReadonlyMap<string, string>> {
    const paths = (await Promise.all(patterns.map((pattern) => this.#expand(pattern)))).flat()
    const pairs = await Promise.all(paths.map(async (path) => [path, await read(path)] as const))
    return new Map(pairs.flatMap(([path, text]) => (text === null ? [] : [[path, text]])))
  }

  async #expand(pattern: string): Promise<readonly string[]> {
    let paths = ['']
    for (const part of pattern.split('/').slice(1)) {
      if (!/[*#]/.test(part)) {
        paths = paths.map((path) => `${path}/${part}`)
        continue
      }
      const found = await Promise.all(
        paths.map(async (path) => {
          const names = await this.#names(path)
          return names.filter((name) => fits(part, name)).map((name) => `${path}/${name}`)
        }),
      )
      paths = found.flat().slice(0, matchesMax)
    }
    return paths
  }

  #names(path: string): Promise<readonly string[]> {
    const names = this.#folders.get(path) ?? this.#machine.listDirectory(path)
    this.#folders.set(path, names)
    return names
  }
}

/** `*` stands for anything, `#` for digits: card# is card0 and not the connector card0-HDMI-A-1. */
function fits(pattern: string, name: string): boolean {
  const source = pattern
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('#', '\\d+')
  return new RegExp(`^${source}$`).test(name)
}
