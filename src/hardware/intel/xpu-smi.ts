/**
 * xpu-smi, for data-center GPUs and Arc. 1.x answers JSON whose figures are sometimes text, and
 * tables with a box; 2.x draws other tables. Its device number follows the bus, not the card.
 */
import type { DeviceLink } from '#core/device.ts'
import { intelGpu } from '#hardware/intel/gpu.ts'
import type { PartialDevice } from '#hardware/probe.ts'
import {
  busIdIn,
  celsiusIn,
  countIn,
  fieldsOf,
  gpuBytes,
  hexIdIn,
  indexIn,
  listOf,
  nameIn,
  percentIn,
  versionIn,
  wattsIn,
} from '#hardware/probe-fields.ts'
import { parseJson } from '#std/parse-json.ts'

export interface XpuSmi {
  readonly devices: readonly PartialDevice[]
  readonly levelZero: string | null
}

/** Null when this is none of its answers about devices. */
export function readXpuSmi(text: string): XpuSmi | null {
  const json = fieldsOf(parseJson(text))
  const list = listOf(json['device_list'])
  if (list.length > 0) return told(list.map(fieldsOf).flatMap((fields) => readJson(fields) ?? []))
  const single = readJson(json)
  if (single !== null) return told([single])
  if (/Intel XPU-SMI v/.test(text)) return readTable(text)
  if (/Device Information/.test(text)) return told(readDiscovery(text))
  if (/\|\s*Device ID\s*\|\s*\d+/.test(text)) return told(readStats(text))
  const links = readTopology(text)
  return links.length > 0 ? told(links) : null
}

function told(devices: readonly PartialDevice[]): XpuSmi {
  return { devices, levelZero: null }
}

function numbersOf(index: number | null): readonly string[] {
  return index === null ? [] : [`xpu-smi:${index}`]
}

function readJson(fields: Readonly<Record<string, unknown>>): PartialDevice | null {
  const name = nameIn(fields['device_name'])
  const index = indexIn(fields['device_id'])
  // Virtual functions are slices that the host gives to guests; they are not the host's to use.
  if (name === null || index === null || fields['device_function_type'] === 'virtual') return null
  const totalBytes = gpuBytes(fields['memory_physical_size_byte'], 'B')
  const freeBytes = gpuBytes(fields['memory_free_size_byte'], 'B')
  return intelGpu({
    identity: { bus: busIdIn(fields['pci_bdf_address']), numbers: numbersOf(index) },
    index,
    uuid: nameIn(fields['uuid']),
    name,
    pciDeviceId: hexIdIn(hexOf(fields['pci_device_id'])),
    driverVersion: versionIn(fields['driver_version']),
    computeUnits: countIn(fields['number_of_eus'], 1e4),
    pcieGeneration: countIn(fields['pcie_generation'], 9) || null,
    pcieLanes: countIn(fields['pcie_max_link_width'], 64) || null,
    pool: poolOf(totalBytes, freeBytes),
  })
}

/** "0x20a" lacks a zero. */
function hexOf(value: unknown): number | null {
  const match = typeof value === 'string' ? /^0x([0-9a-f]{1,4})$/i.exec(value.trim()) : null
  return match?.[1] === undefined ? null : Number.parseInt(match[1], 16)
}

function poolOf(totalBytes: number | null, freeBytes: number | null) {
  if (totalBytes === null) return null
  const usedBytes = freeBytes === null || freeBytes > totalBytes ? null : totalBytes - freeBytes
  return { totalBytes, usedBytes }
}

/** `discovery -d`: "Name: value" lines for one device after the other, with a box or without. */
function readDiscovery(text: string): PartialDevice[] {
  const devices: { index: number; lines: Map<string, string> }[] = []
  for (const line of text.split(/\r?\n/)) {
    const match = /^[|\s]*(\d+)?[|\s]+([A-Z][^:|]*?):\s+(.*?)\s*\|?\s*$/.exec(line)
    const index = indexIn(match?.[1])
    if (match === null) continue
    if (index !== null) devices.push({ index, lines: new Map() })
    devices.at(-1)?.lines.set(match[2] ?? '', match[3] ?? '')
  }
  return devices.map(({ index, lines }) =>
    intelGpu({
      identity: { bus: busIdIn(lines.get('PCI BDF Address')), numbers: numbersOf(index) },
      index,
      name: nameIn(lines.get('Device Name')),
      uuid: nameIn(lines.get('UUID') ?? lines.get('SOC UUID')),
      pciDeviceId: hexIdIn(hexOf(lines.get('PCI Device ID'))),
      driverVersion: versionIn(lines.get('Driver Version')),
      computeUnits: countIn(lines.get('Number of EUs'), 1e4),
      pcieGeneration: countIn(lines.get('PCIe Generation'), 9) || null,
      pcieLanes: countIn(lines.get('PCIe Max Link Width'), 64) || null,
      integrated: /^Integrated/.test(lines.get('Device Type') ?? '') ? true : null,
      pool: poolOf(gpuBytes(lines.get('Memory Physical Size')), null),
    }),
  )
}

/** `stats -d`: rows of a box. With several tiles a cell begins with "Tile 0: …; Tile 1: …". */
function readStats(text: string): PartialDevice[] {
  const rows = new Map(
    [...text.matchAll(/^\|\s*(.*?)\s*\|\s*(.*?)\s*\|\s*$/gm)].map(
      ([, name = '', value = '']) => [name, value] as const,
    ),
  )
  const index = indexIn(rows.get('Device ID'))
  if (index === null) return []
  const value = (name: string): string | undefined =>
    /avg: ([\d.]+)/.exec(rows.get(name) ?? '')?.[1] ?? rows.get(name)
  return [
    intelGpu({
      identity: { numbers: numbersOf(index) },
      index,
      utilizationRatio: percentIn(rows.get('Average % utilization of')),
      powerWatts: wattsIn(value('GPU Power (W)')),
      temperatureCelsius: celsiusIn(value('GPU Core Temperature (C)')),
    }),
  ]
}

/** xpu-smi 2: a table like that of nvidia-smi, where a long name goes on in the next row. */
function readTable(text: string): XpuSmi {
  const lines = text.split(/\r?\n/)
  const devices = lines.flatMap((line, at): PartialDevice[] => {
    const first = /^\|\s*(\d+)\s{2,}(.+?)\s{2,}(?:On|Off|N\/A)\s*\|\s*([0-9a-f:.]+)\s/i.exec(line)
    if (first === null) return []
    const index = indexIn(first[1])
    const below = lines.slice(at + 1, at + 4)
    const more = /^\|\s{6,}(\S[^|]*?)\s*\|\s*\|/.exec(below[0] ?? '')?.[1] ?? ''
    const facts = below
      .map((row) => /^\|\s*\S+\s+(\S+)\s+(\S+)\s*\/\s*(\S+)\s*\|\s*(.*?)\s*\|\s*(\S+)/.exec(row))
      .find((row) => row !== null)
    const [used, total] = (facts?.[4] ?? '').split('/')
    const totalBytes = gpuBytes(total)
    return [
      intelGpu({
        identity: { bus: busIdIn(first[3]), numbers: numbersOf(index) },
        index,
        name: nameIn(`${first[2]} ${more}`),
        temperatureCelsius: celsiusIn(facts?.[1]),
        powerWatts: wattsIn(facts?.[2]),
        powerLimitWatts: wattsIn(facts?.[3]),
        utilizationRatio: percentIn(facts?.[5]),
        pool: totalBytes === null ? null : { totalBytes, usedBytes: gpuBytes(used) },
      }),
    ]
  })
  return { devices, levelZero: versionIn(/Level Zero:\s*(\S+)/.exec(text)?.[1]) }
}

/** `topology -m`: links between tiles, as GPU 0/1; those within one card say nothing of peers. */
function readTopology(text: string): PartialDevice[] {
  const lines = text.split(/\r?\n/)
  const at = lines.findIndex((line) => /^\s+GPU \d+\/\d+/.test(line))
  const cells = (line: string): string[] => line.split('|').map((cell) => cell.trim())
  const columns = cells(lines[at] ?? '').map((title) => indexIn(/^GPU (\d+)\/\d+/.exec(title)?.[1]))
  const links = new Map<number, Map<number, DeviceLink>>()
  for (const line of at < 0 ? [] : lines.slice(at + 1)) {
    const row = /^GPU (\d+)\/\d+\s*\|(.*)$/.exec(line)
    const index = indexIn(row?.[1])
    if (row === null || index === null) continue
    const peers = links.get(index) ?? new Map<number, DeviceLink>()
    links.set(index, peers)
    for (const [column, detail] of cells(row[2] ?? '').entries()) {
      const peer = columns[column] ?? null
      if (peer === null || peer === index || !/^(XL|NODE|SYS)/.test(detail)) continue
      // XL16 is a direct link, XL* one through another tile: the direct one is how they talk.
      if (peers.has(peer) && /\*|NODE|SYS/.test(detail)) continue
      const kind = detail.startsWith('XL') ? 'xe-link' : 'pcie'
      peers.set(peer, { peerIndex: peer, kind, detail })
    }
  }
  return [...links].map(([index, peers]) =>
    intelGpu({
      identity: { numbers: numbersOf(index) },
      index,
      links: [...peers.values()],
    }),
  )
}
