/**
 * rocm-smi: deprecated and everywhere. The same facts come as JSON, CSV, "GPU[0] : key: value" and
 * tables; its keys changed their spelling over the years, so they are compared without case.
 */
import type { DeviceLink } from '#core/device.ts'
import { amdGpu, poolOf } from '#hardware/amd/gpu.ts'
import { gfxIn } from '#hardware/amd/names.ts'
import type { PartialDevice } from '#hardware/probe.ts'
import {
  busIdIn,
  celsiusIn,
  countIn,
  fieldsOf,
  gpuBytes,
  hexIdIn,
  indexIn,
  nameIn,
  percentIn,
  versionIn,
  wattsIn,
} from '#hardware/probe-fields.ts'
import { parseJson } from '#std/parse-json.ts'

export interface RocmSmi {
  readonly driverVersion: string | null
  readonly devices: readonly PartialDevice[]
}

/** Facts of one card by key, in lower case. */
type Card = Map<string, string>

/** Null when this is none of its shapes. */
export function readRocmSmi(text: string): RocmSmi | null {
  const cards = jsonCards(text) ?? csvCards(text)
  if (cards !== null) return read(cards)
  if (!/ROCm System Management Interface|^GPU\[\d+\]\s*:/m.test(text)) return null
  const listed = listedCards(text)
  const concise = conciseCards(text)
  for (const [index, card] of concise) {
    listed.set(index, new Map([...card, ...(listed.get(index) ?? [])]))
  }
  const links = matrixLinks(text)
  for (const index of links.keys()) if (!listed.has(index)) listed.set(index, new Map())
  const { driverVersion, devices } = read({ cards: listed, system: new Map() })
  return {
    driverVersion,
    devices: devices.map((device) => ({ ...device, links: links.get(device.index ?? -1) ?? [] })),
  }
}

interface Cards {
  readonly cards: ReadonlyMap<number, Card>
  readonly system: Card
}

/** A warning in words may stand before the JSON, so it begins at the first brace. */
function jsonCards(text: string): Cards | null {
  const start = text.indexOf('{')
  const fields = start < 0 ? {} : fieldsOf(parseJson(text.slice(start)))
  const cards = new Map<number, Card>()
  for (const [key, value] of Object.entries(fields)) {
    const index = indexIn(/^card(\d+)$/.exec(key)?.[1])
    if (index !== null) cards.set(index, cardOf(value))
  }
  return cards.size === 0 ? null : { cards, system: cardOf(fields['system']) }
}

function cardOf(value: unknown): Card {
  return new Map(
    Object.entries(fieldsOf(value)).map(([key, text]) => [key.toLowerCase(), String(text)]),
  )
}

function csvCards(text: string): Cards | null {
  const lines = text.split(/\r?\n/)
  const at = lines.findIndex((line) => line.startsWith('device,'))
  if (at < 0) return null
  const header = (lines[at] ?? '').split(',').map((name) => name.trim().toLowerCase())
  const cards = new Map<number, Card>()
  for (const line of lines.slice(at + 1)) {
    const cells = line.split(',')
    const index = indexIn(/^card(\d+)$/.exec(cells[0] ?? '')?.[1])
    if (index === null || cells.length !== header.length) continue
    cards.set(index, new Map(header.map((name, column) => [name, (cells[column] ?? '').trim()])))
  }
  return cards.size === 0 ? null : { cards, system: new Map() }
}

/** "GPU[0]		: Card Series: 		AMD Instinct MI300X VF", amid errors of the same form. */
function listedCards(text: string): Map<number, Card> {
  const cards = new Map<number, Card>()
  for (const [, number, key = '', value = ''] of text.matchAll(
    /^GPU\[(\d+)\]\s*:\s*([^:\r\n]+?):\s*(.*)$/gm,
  )) {
    const index = indexIn(number)
    if (index === null) continue
    const card = cards.get(index) ?? new Map()
    cards.set(index, card.set(key.trim().toLowerCase(), value.trim()))
  }
  return cards
}

const newRow =
  /^(\d+)\s+(\d+)\s+(0x[0-9a-f]{4}),\s*(\d+)\s+(\S+?)°?C\s+(\S+)W\s+(\S+), (\S+), \d+\s.*\s(\S+)W?\s+(\d+)%\s+(\d+)%\s*$/
const oldRow = /^(\d+)\s+([\d.]+)c\s+(\S+)W\s+.*\s(\S+)\s+(\d+)%\s+(\d+)%\s*$/

/** Plain rocm-smi: one row for each GPU. Its VRAM% is rounded too much to be told. */
function conciseCards(text: string): Map<number, Card> {
  const cards = new Map<number, Card>()
  for (const line of text.split(/\r?\n/)) {
    const modern = newRow.exec(line)
    const old = modern === null ? oldRow.exec(line) : null
    const index = indexIn((modern ?? old)?.[1])
    if (index === null) continue
    const card: Card = new Map()
    const put = (key: string, value: string | undefined) => card.set(key, value ?? '')
    if (modern !== null) {
      put('node id', modern[2])
      put('device id', modern[3])
      put('guid', modern[4])
      put('temperature (sensor edge) (c)', modern[5])
      put('average graphics package power (w)', modern[6])
      put('partition', `${modern[8]}/${modern[7]}`)
      put('max graphics package power (w)', modern[9])
      put('gpu use (%)', modern[11])
    } else {
      put('temperature (sensor edge) (c)', old?.[2])
      put('average graphics package power (w)', old?.[3])
      put('max graphics package power (w)', old?.[4])
      put('gpu use (%)', old?.[6])
    }
    cards.set(index, card)
  }
  return cards
}

function read({ cards, system }: Cards): RocmSmi {
  const ordered = [...cards].sort(([one], [other]) => one - other)
  return {
    driverVersion: versionIn(system.get('driver version')),
    devices: ordered.map(([index, card]) => readCard(index, card, system)),
  }
}

function readCard(index: number, card: Card, system: Card): PartialDevice {
  const first = (...keys: readonly string[]): string | null => {
    for (const key of keys) {
      const text = card.get(key)
      if (text !== undefined && nameIn(text) !== null) return text
    }
    return null
  }
  const guid = countIn(first('guid'), 2 ** 32)
  const node = indexIn(first('node id'))
  const partition = first('partition')
  const bytes = (key: string): number | null => gpuBytes(first(`${key} memory (b)`), 'B')
  return amdGpu({
    identity: {
      bus: busIdIn(first('pci bus')),
      numbers: [
        ...(guid ? [`kfd:${guid}`] : []),
        ...(node === null ? [] : [`kfd-node:${node}`]),
        `rocm-smi:${index}`,
      ],
    },
    index,
    name: nameIn(first('card series', 'device name', 'market name')),
    pciDeviceId: hexIdIn(first('device id', 'gpu id', 'card model')),
    architecture: gfxIn(first('gfx version')),
    vram: poolOf(bytes('vram total'), bytes('vram total used')),
    gtt: poolOf(bytes('gtt total'), bytes('gtt total used')),
    utilizationRatio: percentIn(first('gpu use (%)')),
    temperatureCelsius: celsiusIn(
      first('temperature (sensor edge) (c)', 'temperature (sensor junction) (c)'),
    ),
    powerWatts: wattsIn(
      first('average graphics package power (w)', 'current socket graphics package power (w)'),
    ),
    powerLimitWatts: wattsIn(first('max graphics package power (w)')),
    numaNode: indexIn(first('(topology) numa node')),
    partition: partition === 'SPX/NPS1' ? null : partition,
    links: systemLinks(index, system),
  })
}

/** "(Topology) Link type between DRM devices 0 and 1": "PCIE". */
function systemLinks(index: number, system: Card): DeviceLink[] {
  return [...system].flatMap(([key, type]): DeviceLink[] => {
    const pair = /link type between drm devices (\d+) and (\d+)$/.exec(key)
    const ends = [indexIn(pair?.[1]), indexIn(pair?.[2])]
    const peerIndex = ends.find((end) => end !== null && end !== index) ?? null
    if (!ends.includes(index) || peerIndex === null || !/^(XGMI|PCIE)$/.test(type)) return []
    const weight = system.get(key.replace('link type', 'weight'))
    return [linkOf(peerIndex, type, weight)]
  })
}

function linkOf(peerIndex: number, type: string, weightText: string | undefined): DeviceLink {
  const weight = countIn(weightText, 1e4)
  return {
    peerIndex,
    kind: type === 'XGMI' ? 'xgmi' : 'pcie',
    detail: weight === null ? null : `weight ${weight}`,
  }
}

/** The matrices of --showtopo. */
function matrixLinks(text: string): Map<number, DeviceLink[]> {
  const types = matrix(text, /Link Type between two GPUs/)
  const weights = matrix(text, /Weight between two GPUs/)
  return new Map(
    [...types].map(([index, row]) => [
      index,
      row.flatMap((type, peer) =>
        /^(XGMI|PCIE)$/.test(type) && peer !== index
          ? [linkOf(peer, type, weights.get(index)?.[peer])]
          : [],
      ),
    ]),
  )
}

function matrix(text: string, title: RegExp): Map<number, string[]> {
  const lines = text.split(/\r?\n/)
  const at = lines.findIndex((line) => title.test(line))
  const rows = new Map<number, string[]>()
  for (const line of at < 0 ? [] : lines.slice(at + 2)) {
    const [first = '', ...cells] = line.trim().split(/\s+/)
    const index = indexIn(/^GPU(\d+)$/.exec(first)?.[1])
    if (index === null) break
    rows.set(index, cells)
  }
  return rows
}
