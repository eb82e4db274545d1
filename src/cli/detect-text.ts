/** The table of `motley detect`: one line for each device, and why one is not used below it. */
import { memoryCell } from '#cli/quantity.ts'
import { type Column, shorten, tableLines } from '#cli/table.ts'
import { paint } from '#cli/terminal.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'
import type { Device } from '#core/device.ts'
import type { Inventory } from '#hardware/detect.ts'

const columns: readonly Column[] = [
  { title: 'ID', maxWidth: 18 },
  { title: 'NAME' },
  { title: 'MEMORY', align: 'right' },
  { title: 'USED', align: 'right' },
  { title: 'ARCH', maxWidth: 8 },
  { title: 'RUNTIME', maxWidth: 22 },
]
const nameColumn = 1

export function detectText({ devices, problems }: Inventory): string {
  const lines = devices.length === 0 ? ['No device was found.'] : deviceLines(devices)
  if (problems.length === 0) return lines.join('\n')
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  return [
    ...lines,
    '',
    paint('yellow', `${count}; "motley doctor" says why it matters and what to do:`),
    ...problems.flatMap(({ what }) => wrapped(`- ${what}`, terminalWidth, '  ')),
  ].join('\n')
}

function deviceLines(devices: readonly Device[]): string[] {
  const ids = uniqueIds(devices)
  const rows = devices.map((device, index) => row(device, ids[index] ?? ''))
  const [titles = '', ...lines] = tableLines(fitted(rows), rows)
  const body = devices.flatMap(({ reason }, index) => {
    const line = lines[index] ?? ''
    return reason === null ? [line] : [line, shorten(`  not used: ${reason}`, terminalWidth)]
  })
  return [paint('bold', titles), ...body]
}

/** Names get what the other columns leave of the line; --json has them whole. */
function fitted(rows: readonly (readonly string[])[]): Column[] {
  const others = columns.filter((_, index) => index !== nameColumn)
  const withoutNames = rows.map((cells) => cells.filter((_, index) => index !== nameColumn))
  const taken = Math.max(...tableLines(others, withoutNames).map((line) => line.length))
  const maxWidth = Math.max(8, terminalWidth - taken - 2)
  return columns.map((column, index) => (index === nameColumn ? { ...column, maxWidth } : column))
}

function row(device: Device, id: string): string[] {
  const { memoryBytes, usedMemoryBytes, unifiedMemory, vendor } = device
  // A tilde says that the CPU and the GPU share it.
  const shares = unifiedMemory === true && vendor !== 'cpu' ? '~' : ''
  return [
    id,
    device.name,
    memoryBytes === null ? '?' : `${shares}${memoryCell(memoryBytes)}`,
    usedMemoryBytes === null ? '-' : memoryCell(usedMemoryBytes),
    device.architecture ?? '?',
    runtimeText(device),
  ]
}

/** Slices of the same size on one GPU are counted: nvidia:0/1g.10gb, then nvidia:0/1g.10gb:2. */
function uniqueIds(devices: readonly Device[]): readonly string[] {
  const counts = new Map<string, number>()
  return devices.map((device) => {
    const id = idOf(device)
    const count = (counts.get(id) ?? 0) + 1
    counts.set(id, count)
    return count === 1 ? id : `${id}:${count}`
  })
}

/** nvidia:0, or nvidia:0/3g.40gb for a slice of it. */
function idOf({ vendor, index, partition, parent, busId, vulkanIndex }: Device): string {
  const own = index ?? (vulkanIndex === null ? busId : `vulkan${vulkanIndex}`)
  const id = own === null ? vendor : `${vendor}:${own}`
  if (vendor === 'cpu') return 'cpu'
  if (partition !== null) return `${id}/${partition}`
  return parent === null ? id : `${id}/mig`
}

const runtimeNames: Readonly<Record<string, string>> = { levelZero: 'l0' }

/** The vendor's runtime, and Vulkan only where there is no other: the JSON has them all. */
function runtimeText({ runtimes, vendor, features }: Device): string {
  if (vendor === 'cpu') return cpuText(features)
  const known = Object.entries(runtimes).filter(([, version]) => version !== null)
  const own = known.filter(([name]) => name !== 'vulkan')
  const shown = own.length > 0 ? own : known
  if (shown.length === 0) return Object.keys(runtimes).join(' ').replace('levelZero', 'l0') || '-'
  return shown.map(([name, version]) => `${runtimeNames[name] ?? name} ${version}`).join(' ')
}

/** The strongest instruction set of a CPU says enough for a table. */
function cpuText(features: readonly string[]): string {
  const levels = ['amx_int8', 'avx512f', 'avx2', 'avx', 'sve2', 'i8mm', 'neon']
  return levels.find((level) => features.includes(level)) ?? '-'
}
