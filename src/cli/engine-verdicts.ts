/** Which engines run on each device of a machine, for `motley doctor`: whether installed or not. */
import { wrapped } from '#cli/wrapped.ts'
import type { CompatibleWay, Finding, Setting } from '#core/compatibility.ts'
import type { Device } from '#core/device.ts'
import type { OperatingSystem } from '#core/engine-build.ts'
import type { EngineCatalog, EngineFacts } from '#core/engine-facts.ts'
import type { Inventory } from '#hardware/detect.ts'
import { blockersOf, compatibleWays } from '#placement/compatibility/solve-compatibility.ts'

/** What `motley doctor --json` prints of an engine; fields are added, never changed. */
export interface EngineVerdict {
  readonly engine: string
  readonly device: string
  readonly verdict: 'runs' | 'runs-with-setting' | 'blocked'
  /** Of the best way to start it; null where there is none. */
  readonly backend: string | null
  readonly kind: string | null
  readonly settings: readonly Setting[]
  /** Why not, or what is worse than one would think. */
  readonly findings: readonly Pick<Finding, 'code' | 'what' | 'unlockedBy'>[]
}

export interface DeviceVerdicts {
  readonly device: Device
  readonly engines: readonly EngineVerdict[]
}

const systems: Readonly<Record<Inventory['os'], OperatingSystem | null>> = {
  linux: 'linux',
  darwin: 'macos',
  win32: 'windows',
  // No engine has builds for it that Motley knows of.
  freebsd: null,
}

/** One of each kind of device that may be used. */
export function engineVerdicts(
  { os, devices }: Inventory,
  catalog: EngineCatalog,
): readonly DeviceVerdicts[] {
  const system = systems[os]
  if (system === null) return []
  const usable = devices.filter(({ schedulable }) => schedulable)
  const kinds = Map.groupBy(usable, ({ vendor, architecture }) => `${vendor} ${architecture}`)
  const node = { os: system, osVersion: null, containers: null, engines: null, devices }
  return [...kinds.values()].flatMap(([device]) => {
    if (device === undefined) return []
    const engines = catalog.map((engine) => verdictOf(engine, device, node))
    return [{ device, engines }]
  })
}

function verdictOf(
  engine: EngineFacts,
  device: Device,
  node: Parameters<typeof compatibleWays>[0]['node'],
): EngineVerdict {
  const [way] = compatibleWays({
    engine,
    node,
    devices: [device],
    format: null,
    model: null,
    task: null,
    features: [],
    targets: null,
  })
  return { engine: engine.id, device: device.name, ...wayOf(way) }
}

function wayOf(way: CompatibleWay | undefined): Omit<EngineVerdict, 'engine' | 'device'> {
  const none = { verdict: 'blocked', backend: null, kind: null, settings: [] } as const
  if (way === undefined) return { ...none, findings: [] }
  const { backend, kind, compatibility } = way
  if (compatibility.kind === 'blocked') {
    return { ...none, findings: blockersOf(compatibility.findings).map(told) }
  }
  const { settings, notes } = compatibility
  return {
    verdict: settings.length > 0 ? 'runs-with-setting' : 'runs',
    backend,
    kind,
    settings,
    findings: notes.filter((note) => note.kind === 'warning').map(told),
  }
}

function told({ code, what, unlockedBy }: Finding): EngineVerdict['findings'][number] {
  return { code, what, unlockedBy }
}

const width = 80

/** What an engine has no build for at all is one line: nobody can mend that. */
const hopeless: ReadonlySet<string> = new Set(['backend-missing', 'cuda-assumption'])

export function engineVerdictsText(all: readonly DeviceVerdicts[]): string {
  return all.map(deviceText).join('\n\n')
}

function deviceText({ device, engines }: DeviceVerdicts): string {
  const { name, architecture } = device
  const runs = engines.filter(({ verdict }) => verdict !== 'blocked')
  const others = engines.filter(({ verdict }) => verdict === 'blocked')
  const none = others.filter(({ findings }) => findings.some(({ code }) => hopeless.has(code)))
  const blocked = others.filter((one) => !none.includes(one))
  return [
    ...wrapped(
      `Engines for ${name} (${architecture ?? 'unknown architecture'}), installed or not:`,
      width,
      '  ',
    ),
    ...runs.map(runningLine).flatMap((line) => wrapped(line, width, '      ')),
    ...blocked.flatMap(blockedLines),
    ...(none.length === 0
      ? []
      : wrapped(`  - no build: ${none.map(({ engine }) => engine).join(', ')}`, width, '      ')),
  ].join('\n')
}

function runningLine({ engine, backend, kind, settings, findings }: EngineVerdict): string {
  const container = kind === 'container' ? ', in a container' : ''
  const set = settings.length > 0 ? `; set ${settings.map((one) => one.set).join(' ')}` : ''
  const worse = findings.length > 0 ? `; ${findings.map(({ what }) => what).join('; ')}` : ''
  return `  + ${engine}: ${backend}${container}${set}${worse}`
}

function blockedLines({ engine, findings }: EngineVerdict): readonly string[] {
  // A device cannot be changed: what else would be needed there is of no use to anybody.
  const worth = findings.some(({ code }) => code === 'architecture-unsupported')
    ? findings.slice(0, 1)
    : findings
  return worth.flatMap(({ what, unlockedBy }) => [
    ...wrapped(`  - ${engine}: ${what}`, width, '      '),
    ...(unlockedBy === null ? [] : wrapped(`      unlocked by: ${unlockedBy}`, width, '        ')),
  ])
}
