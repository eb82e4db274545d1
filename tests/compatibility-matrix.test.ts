/** Every recorded machine with every engine and the formats that people have, as tables to read. */
import { describe, expect, test } from 'vitest'
import type { Compatibility } from '#core/compatibility.ts'
import { type Device, vendors } from '#core/device.ts'
import type { OperatingSystem } from '#core/engine-build.ts'
import type { EngineFacts } from '#core/engine-facts.ts'
import { engineCatalog } from '#engines/index.ts'
import { detect } from '#hardware/detect.ts'
import { probes } from '#hardware/index.ts'
import { recordedMachine, recordingFile } from '#hardware/machine/recording.ts'
import type { CompatibilityNode } from '#placement/compatibility/question.ts'
import { blockersOf, compatibleWays } from '#placement/compatibility/solve-compatibility.ts'
import { systemClock } from '#std/clock.ts'
import { recordedMachines } from '#testing/recorded-machines.ts'
import { modelInFormat, nodeOf } from './compatibility-question.ts'

/** What files call their numbers, as `motley model inspect` shows it. */
const numbers = ['bf16', 'fp8', 'awq 4-bit', 'gptq 4-bit', 'mxfp4', 'nvfp4', 'mlx 4-bit']
const columns = ['bf16', 'fp8', 'awq', 'gptq', 'mxfp4', 'nvfp4', 'mlx']

interface Machine {
  readonly id: string
  readonly node: CompatibilityNode
}

const machines: readonly Machine[] = await Promise.all(
  recordedMachines().map(async ({ id, recording, readPart }) => {
    const machine = recordedMachine(recordingFile.parse(recording), readPart)
    const { inventory } = await detect(probes, machine, { clock: systemClock })
    // No engine has builds for FreeBSD that Motley knows of.
    if (inventory.os === 'freebsd') return { id, node: nodeOf('linux', []) }
    return { id, node: nodeOf(systemOf(inventory.os), inventory.devices) }
  }),
)

function systemOf(os: string): OperatingSystem {
  return os === 'darwin' ? 'macos' : os === 'win32' ? 'windows' : 'linux'
}

/** One of each kind, and all of a kind together where there are several. */
function groupsOf(devices: readonly Device[]): readonly (readonly Device[])[] {
  const kinds = Map.groupBy(devices, ({ vendor, name, architecture, partition }) =>
    [vendor, name, architecture, partition].join('|'),
  )
  return [...kinds.values()].flatMap((group) =>
    group.length === 1 || group[0]?.vendor === 'cpu'
      ? [group.slice(0, 1)]
      : [group.slice(0, 1), group],
  )
}

function solve(
  engine: EngineFacts,
  node: CompatibilityNode,
  devices: readonly Device[],
  quantization: string | null,
): { readonly way: string; readonly compatibility: Compatibility } {
  const [usual = 'gguf'] = engine.weightsFormats
  const plain = engine.weightsFormats.includes('safetensors') ? 'safetensors' : usual
  const format = quantization?.startsWith('mlx') ? 'mlx' : plain
  const [first] = compatibleWays({
    engine,
    node,
    devices,
    format,
    model: modelInFormat(format, quantization),
    task: null,
    features: [],
    targets: null,
  })
  if (first === undefined) throw new Error(`${engine.id} has no way`)
  return { way: `${first.backend} ${first.kind}`, compatibility: first.compatibility }
}

function cell(compatibility: Compatibility): string {
  if (compatibility.kind === 'blocked') return '-'
  if (compatibility.settings.length > 0) return 'set'
  const kinds = new Set(compatibility.notes.map(({ kind }) => kind))
  return kinds.has('warning') ? 'worse' : kinds.has('unverified') ? 'runs?' : 'runs'
}

function deviceLine(devices: readonly Device[]): string {
  const [device] = devices
  if (device === undefined) return ''
  const { name, architecture, driverVersion, runtimes } = device
  const known = Object.entries(runtimes).flatMap(([runtime, version]) =>
    version === null ? [] : [`${runtime} ${version}`],
  )
  const driver = driverVersion === null ? [] : [`driver ${driverVersion}`]
  const count = devices.length > 1 ? `${devices.length} × ` : ''
  return `${count}${name}: ${[architecture ?? 'unknown', ...driver, ...known].join(', ')}`
}

const readsNumbers = (engine: EngineFacts): boolean =>
  engine.weightsFormats.some((format) => format === 'safetensors' || format === 'mlx')

function reasonLines({ id }: EngineFacts, compatibility: Compatibility): readonly string[] {
  const said =
    compatibility.kind === 'blocked' ? blockersOf(compatibility.findings) : compatibility.notes
  const findings = said
    .filter(({ kind }) => kind !== 'unverified')
    .map(({ code, what, unlockedBy }) => {
      const unlocks = unlockedBy === null ? '' : ` => ${unlockedBy}`
      return `  ${id}: ${code}: ${what}${unlocks}`
    })
  const settings = compatibility.kind === 'blocked' ? [] : compatibility.settings
  return [...settings.map(({ set, why }) => `  ${id}: set ${set}: ${why}`), ...findings]
}

function table(node: CompatibilityNode, devices: readonly Device[]): string {
  const reasons: string[] = []
  const rows = engineCatalog.flatMap((engine) => {
    if (devices.length > 1 && engine.spread === 'single') return []
    const asked = readsNumbers(engine) ? numbers : [null]
    const solved = asked.map((one) => solve(engine, node, devices, one))
    const best = solved.find(({ compatibility }) => compatibility.kind === 'runs') ?? solved[0]
    if (best !== undefined) reasons.push(...reasonLines(engine, best.compatibility))
    const cells = solved.map(({ compatibility }) => cell(compatibility).padEnd(6))
    const way = best?.compatibility.kind === 'runs' ? best.way : ''
    return [`${engine.id.padEnd(16)}${way.padEnd(21)}${cells.join('')}`.trimEnd()]
  })
  const head = `${''.padEnd(37)}${columns.map((one) => one.padEnd(6)).join('')}`.trimEnd()
  return [...folded(deviceLine(devices)), head, ...rows, ...reasons.flatMap(folded)].join('\n')
}

/** At 80 columns, what goes on indented. */
function folded(line: string): readonly string[] {
  const lines: string[] = []
  for (const word of line.split(/(?<=\S) /)) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= 80)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(last === undefined ? word : `      ${word}`)
  }
  return lines
}

const folders = [...new Set(machines.map(({ id }) => id.split('/')[0] ?? id))]

describe.each(folders)('recorded machines under %s', (folder) => {
  test('are solved as their file says', async () => {
    const parts = machines
      .filter(({ id, node }) => id.startsWith(`${folder}/`) && node.devices.length > 0)
      .map(({ id, node }) =>
        [`# ${id}`, ...groupsOf(node.devices).map((group) => table(node, group))].join('\n\n'),
      )
    await expect(`${parts.join('\n\n')}\n`).toMatchFileSnapshot(
      `../fixtures/compatibility/${folder}.txt`,
    )
  })
})

test('every vendor there is has been solved', () => {
  const met = new Set(machines.flatMap(({ node }) => node.devices.map(({ vendor }) => vendor)))
  expect([...met].toSorted()).toEqual([...vendors].toSorted())
})
