/**
 * The kernel's compute driver: /sys/class/kfd. It needs no tool and is not fooled by
 * HSA_OVERRIDE_GFX_VERSION. Its nodes are CPUs and GPUs; the order of the GPUs is that of HIP.
 */
import type { DeviceLink, MemoryUser } from '#core/device.ts'
import { amdGpu, poolOf } from '#hardware/amd/gpu.ts'
import { gfxOfTargetVersion } from '#hardware/amd/names.ts'
import type { PartialDevice } from '#hardware/probe.ts'
import { countIn, gpuBytes, hexIdIn, indexIn, nameIn, numberIn } from '#hardware/probe-fields.ts'

const topology = '/sys/class/kfd/kfd/topology/nodes'

export const kfdFiles = [
  `${topology}/#/properties`,
  `${topology}/#/gpu_id`,
  `${topology}/#/name`,
  `${topology}/#/mem_banks/#/properties`,
  `${topology}/#/mem_banks/#/used_memory`,
  `${topology}/#/io_links/#/properties`,
  `${topology}/#/p2p_links/#/properties`,
  '/sys/class/kfd/kfd/proc/#/vram_*',
]

/** Link types of the HSA specification, and the heaps that are memory of a GPU. */
const xgmi = 11
const pcie = 2
const vramHeaps = new Set([1, 2])

type Properties = ReadonlyMap<string, string>

interface KfdNode {
  readonly number: number
  readonly properties: Properties
  readonly gpuId: number | null
}

export function readKfd(files: ReadonlyMap<string, string>): PartialDevice[] {
  const nodes = [...files]
    .flatMap(([path, text]): KfdNode[] => {
      const number = indexIn(
        /^\/sys\/class\/kfd\/kfd\/topology\/nodes\/(\d+)\/properties$/.exec(path)?.[1],
      )
      if (number === null) return []
      const gpuId = countIn(files.get(`${topology}/${number}/gpu_id`), 2 ** 32)
      return [{ number, properties: readProperties(text), gpuId }]
    })
    // CPUs have no SIMD units and are nodes of their own, also those of an APU.
    .filter(({ properties }) => (numberIn(properties.get('simd_count')) ?? 0) > 0)
    .sort((one, other) => one.number - other.number)
  const indexes = new Map(nodes.map(({ number }, index) => [number, index]))
  return nodes.map((node, index) => readNode(node, index, indexes, files))
}

function readProperties(text: string): Properties {
  return new Map(
    text.split(/\r?\n/).flatMap((line) => {
      const match = /^(\S+) (\S+)$/.exec(line)
      return match?.[1] === undefined ? [] : [[match[1], match[2] ?? ''] as const]
    }),
  )
}

function readNode(
  { number, properties, gpuId }: KfdNode,
  index: number,
  indexes: ReadonlyMap<number, number>,
  files: ReadonlyMap<string, string>,
): PartialDevice {
  const folder = `${topology}/${number}`
  const bus = busOf(properties)
  const simds = countIn(properties.get('simd_count'), 1e6)
  const perUnit = countIn(properties.get('simd_per_cu'), 64)
  const banks = foldersIn(files, `${folder}/mem_banks/`)
  const bytes = banks.map((bank) => {
    const bankProperties = readProperties(files.get(`${bank}/properties`) ?? '')
    const own = vramHeaps.has(numberIn(bankProperties.get('heap_type')) ?? -1)
    return {
      total: own ? gpuBytes(bankProperties.get('size_in_bytes'), 'B') : null,
      used: own ? gpuBytes(files.get(`${bank}/used_memory`), 'B') : null,
    }
  })
  return amdGpu({
    identity: {
      bus,
      numbers: [...(gpuId ? [`kfd:${gpuId}`] : []), `kfd-node:${number}`],
    },
    index,
    name: nameIn(files.get(`${folder}/name`)),
    pciDeviceId: hexIdIn(numberIn(properties.get('device_id'))),
    architecture: gfxOfTargetVersion(numberIn(properties.get('gfx_target_version'))),
    computeUnits: simds !== null && perUnit ? Math.floor(simds / perUnit) : null,
    vram: poolOf(sum(bytes.map(({ total }) => total)), sum(bytes.map(({ used }) => used))),
    memoryUsers: usersOf(gpuId, files),
    links: linksOf(folder, number, indexes, files),
  })
}

function sum(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : known.reduce((total, value) => total + value, 0)
}

/** bus << 8 | device << 3 | function; partitions of one GPU count up the function. */
function busOf(properties: Properties): string | null {
  const location = countIn(properties.get('location_id'), 0xffff)
  const domain = countIn(properties.get('domain') ?? '0', 0xffff)
  if (location === null || location === 0 || domain === null) return null
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0')
  const [slot, fn] = [(location >> 3) & 31, location & 7]
  return `${hex(domain, 4)}:${hex(location >> 8, 2)}:${hex(slot, 2)}.${fn}`
}

function foldersIn(files: ReadonlyMap<string, string>, prefix: string): string[] {
  return [...files.keys()]
    .filter((path) => path.startsWith(prefix) && path.endsWith('/properties'))
    .map((path) => path.slice(0, -'/properties'.length))
}

function linksOf(
  folder: string,
  number: number,
  indexes: ReadonlyMap<number, number>,
  files: ReadonlyMap<string, string>,
): DeviceLink[] {
  const links = [
    ...foldersIn(files, `${folder}/io_links/`),
    ...foldersIn(files, `${folder}/p2p_links/`),
  ]
  const found = links.flatMap((path): DeviceLink[] => {
    const properties = readProperties(files.get(`${path}/properties`) ?? '')
    const to = countIn(properties.get('node_to'), 4_095)
    const type = numberIn(properties.get('type'))
    const peerIndex = to === null || to === number ? undefined : indexes.get(to)
    if (peerIndex === undefined || (type !== xgmi && type !== pcie)) return []
    const weight = countIn(properties.get('weight'), 1e4)
    return [
      {
        peerIndex,
        kind: type === xgmi ? 'xgmi' : 'pcie',
        detail: weight === null ? null : `weight ${weight}`,
      },
    ]
  })
  // Both folders may tell of one peer: the first, direct one counts.
  return [...new Map(found.toReversed().map((link) => [link.peerIndex, link])).values()].sort(
    (one, other) => (one.peerIndex ?? 0) - (other.peerIndex ?? 0),
  )
}

/** Processes that hold memory of the GPU: proc/<pid>/vram_<gpu_id>, in bytes. */
function usersOf(gpuId: number | null, files: ReadonlyMap<string, string>): MemoryUser[] | null {
  if (gpuId === null) return null
  const users = [...files].flatMap(([path, text]): MemoryUser[] => {
    const match = /^\/sys\/class\/kfd\/kfd\/proc\/(\d+)\/vram_(\d+)$/.exec(path)
    const pid = countIn(match?.[1], 2 ** 31)
    const usedMemoryBytes = gpuBytes(text, 'B')
    if (pid === null || match?.[2] !== String(gpuId) || !usedMemoryBytes) return []
    return [{ pid, name: null, usedMemoryBytes }]
  })
  return users.length > 0 ? users : null
}
