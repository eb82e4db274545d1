/**
 * Which engines could be started on this machine, and how: programs on its PATH, containers where
 * there is a runtime for them, and the engine that is part of Motley. Placement plans with these.
 */
import type { OwnProgram } from '#agent/choose-launch.ts'
import type { Backend, LaunchKind, OperatingSystem, Support } from '#core/engine-build.ts'
import type { Engine } from '#engines/engine.ts'
import type { Machine } from '#hardware/probe.ts'
import type { ReportedEngine } from '#protocol/agent-messages.ts'

export interface InstalledOptions {
  readonly engines: readonly Engine[]
  readonly os: OperatingSystem
  readonly machine: Pick<Machine, 'run'>
  readonly ownProgram: OwnProgram
  readonly ownVersion: string
  readonly isInstalled: (command: string) => boolean
  /** Whether containers can be started. */
  readonly hasContainers: boolean
}

const ownEngine = 'motley-embedded'

/** Engines in Python load half of what they have for that. */
const versionWithinMs = 8_000

/** One entry for each engine and way to start it. Rejects never. */
export async function installedEngines(options: InstalledOptions): Promise<ReportedEngine[]> {
  const { engines, os, isInstalled, hasContainers } = options
  const found = engines.map(async (engine): Promise<ReportedEngine[]> => {
    if (engine.id === ownEngine) return ownEntry(options)
    const here = engine.supports.filter((support) => support.os.includes(os))
    const containers = hasContainers ? here.filter(({ kinds }) => kinds.includes('container')) : []
    const native = here.filter((support) => {
      const program = programOf(engine, support)
      return program !== null && isInstalled(program)
    })
    const [first] = native
    const version = first === undefined ? null : await versionOf(options, programOf(engine, first))
    return [
      ...entry(engine, version, native, 'native'),
      // Which version there will be is in the name of the image, which the adapter keeps.
      ...entry(engine, null, containers, 'container'),
    ]
  })
  return (await Promise.all(found)).flat()
}

function ownEntry({ ownProgram, ownVersion }: InstalledOptions): ReportedEngine[] {
  const backends = Object.keys(ownProgram.backends) as Backend[]
  if (backends.length === 0) return []
  return [{ engine: ownEngine, version: ownVersion, backends, kinds: ['native'] }]
}

function entry(
  { id }: Engine,
  version: string | null,
  supports: readonly Support[],
  kind: LaunchKind,
): ReportedEngine[] {
  const backends = [...new Set(supports.map(({ backend }) => backend))]
  return backends.length === 0 ? [] : [{ engine: id, version, backends, kinds: [kind] }]
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

async function versionOf(
  { machine }: InstalledOptions,
  program: string | null,
): Promise<string | null> {
  if (program === null) return null
  const result = await machine.run(program, ['--version'], versionWithinMs)
  if (result.kind !== 'ran' || result.exitCode !== 0) return null
  return versionIn(`${result.stdout}\n${result.stderr}`)
}

/** Every program says its own sentence around it: `version: 6123 (abc)`, `0.11.0`, `ollama is 0.9.1`. */
export function versionIn(text: string): string | null {
  return (
    /\bversion:?\s+(?:is\s+)?[vb]?(\d+(?:\.\d+)*(?:[a-z]+\d*)?)\b/i.exec(text)?.[1] ??
    /\b[vb]?(\d+\.\d+(?:\.\d+)*(?:[a-z]+\d*)?)/.exec(text)?.[1] ??
    null
  )
}
