/**
 * Which engines could be started on this machine, and how: programs on its PATH, containers where
 * there is a runtime for them, and the engine that is part of Motley. Placement plans with these.
 */
import type { OwnProgram } from '#agent/choose-launch.ts'
import type { Backend, LaunchKind, OperatingSystem, Support } from '#core/engine-build.ts'
import type { Engine } from '#engines/engine.ts'
import { type ProgramFacts, saysVersion } from '#engines/engine-program.ts'
import type { Machine } from '#hardware/probe.ts'
import type { ReportedEngine } from '#protocol/agent-messages.ts'

export interface InstalledOptions {
  readonly engines: readonly Engine[]
  readonly os: OperatingSystem
  readonly machine: Pick<Machine, 'run'>
  readonly ownProgram: OwnProgram
  readonly ownVersion: string
  /** Where a program is, or null. */
  readonly findProgram: (command: string) => string | null
  /** Whether containers can be started. */
  readonly hasContainers: boolean
}

const ownEngine = 'motley-embedded'

/** Engines in Python load half of what they have to tell their version. */
const answerWithinMs = 8_000

/** One entry for each engine and way to start it. Rejects never. */
export async function installedEngines(options: InstalledOptions): Promise<ReportedEngine[]> {
  const { engines, os, hasContainers } = options
  const found = engines.map(async (engine): Promise<ReportedEngine[]> => {
    if (engine.id === ownEngine) return ownEntry(options)
    const here = engine.supports.filter((support) => support.os.includes(os))
    const containers = hasContainers ? here.filter(({ kinds }) => kinds.includes('container')) : []
    return [
      ...(await nativeEntry(options, engine, here)),
      // Which version there will be is in the name of the image, which the adapter keeps.
      ...entry(engine, null, backendsOf(containers), 'container'),
    ]
  })
  return (await Promise.all(found)).flat()
}

async function nativeEntry(
  options: InstalledOptions,
  engine: Engine,
  here: readonly Support[],
): Promise<ReportedEngine[]> {
  const programs = here.map((support) => {
    const name = programOf(engine, support)
    return { support, path: name === null ? null : options.findProgram(name) }
  })
  const native = programs.filter(({ path }) => path !== null)
  const path = native[0]?.path ?? null
  const facts = path === null ? null : await factsOf(options, engine, path)
  if (facts === null) return []
  const possible = backendsOf(native.map(({ support }) => support))
  const told = facts.backends?.filter((backend) => possible.includes(backend)) ?? null
  // Of one thing alone it need not be asked.
  if (told === null && possible.length > 1) {
    return entry(engine, facts.version, possible, 'native').map((each) => ({
      ...each,
      assumed: true,
    }))
  }
  return entry(engine, facts.version, told ?? possible, 'native')
}

function ownEntry({ ownProgram, ownVersion }: InstalledOptions): ReportedEngine[] {
  const backends = Object.keys(ownProgram.backends) as Backend[]
  if (backends.length === 0) return []
  return [{ engine: ownEngine, version: ownVersion, backends, kinds: ['native'] }]
}

function entry(
  { id }: Engine,
  version: string | null,
  backends: readonly Backend[],
  kind: LaunchKind,
): ReportedEngine[] {
  return backends.length === 0
    ? []
    : [{ engine: id, version, backends: [...backends], kinds: [kind] }]
}

function backendsOf(supports: readonly Support[]): readonly Backend[] {
  return [...new Set(supports.map(({ backend }) => backend))]
}

/** What is started for a build of it; null where it is started in containers alone. */
function programOf(engine: Engine, { backend, kinds }: Support): string | null {
  if (!kinds.includes('native')) return null
  const plan = engine.launch?.({
    replicaId: 'probe',
    modelName: 'probe',
    task: engine.tasks?.[0] ?? 'chat',
    weights: { format: engine.weightsFormats[0] ?? 'gguf', path: '/', root: '/' },
    host: '127.0.0.1',
    port: 1,
    backend,
    devices: [{ index: 0, uuid: null, busId: null, architecture: null, unifiedMemory: false }],
    contextTokens: 1,
    slots: 1,
    memoryFraction: null,
    kvCacheType: null,
    offload: null,
    tensorParallel: 1,
    kind: 'native',
    executable: null,
    ownProgram: null,
    deviceGroupIds: [],
    cacheDirectory: null,
    allowsArchitectureOverride: true,
    extraArgs: [],
    apiKey: null,
  })
  return plan?.kind === 'plan' && plan.container === null ? plan.command : null
}

/** Null where the engine is not there although its program is; what hangs tells nothing. */
async function factsOf(
  { machine, findProgram }: InstalledOptions,
  { program = saysVersion }: Engine,
  found: string,
): Promise<ProgramFacts | null> {
  const answers: (string | null)[] = []
  for (const { command, args } of program.questions) {
    const asked = command === null ? found : findProgram(command)
    const result = asked === null ? null : await machine.run(asked, args, answerWithinMs)
    const isAnswer = result?.kind === 'ran' && result.exitCode === 0
    answers.push(isAnswer ? `${result.stdout}\n${result.stderr}` : null)
  }
  return program.read(answers)
}
