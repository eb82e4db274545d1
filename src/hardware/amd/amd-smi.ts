/**
 * amd-smi. Its JSON is an array up to ROCm 6 and an object with `gpu_data` from 7 on; each command
 * tells other groups of facts about the same GPUs, and any of them may be "N/A".
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
  listOf,
  nameIn,
  numberIn,
  percentIn,
  versionIn,
  wattsIn,
} from '#hardware/probe-fields.ts'

/** Null when this is no answer of amd-smi about GPUs. */
export function readAmdSmiJson(json: unknown): PartialDevice[] | null {
  const wrapper = fieldsOf(json)
  const entries = listOf(wrapper['gpu_data'] ?? wrapper['gpus'] ?? json).map(fieldsOf)
  const gpus = entries.filter((fields) => indexIn(fields['gpu']) !== null)
  return gpus.length === 0 ? null : gpus.map(readGpu)
}

/** {"value": 32768, "unit": "MB"}, or a plain figure. */
function figure(value: unknown): string | number | null {
  const { value: amount, unit } = fieldsOf(value)
  const plain = amount ?? value
  if (typeof plain !== 'number' && typeof plain !== 'string') return null
  return typeof unit === 'string' ? `${plain} ${unit}` : plain
}

function readGpu(fields: Readonly<Record<string, unknown>>): PartialDevice {
  const group = (name: string) => fieldsOf(fields[name])
  const index = indexIn(fields['gpu'])
  const [asic, bus, driver] = [group('asic'), group('bus'), group('driver')]
  const [memory, power, limit] = [group('mem_usage'), group('power'), group('limit')]
  const [temperature, numa] = [group('temperature'), group('numa')]
  const kfdId = countIn(fields['kfd_id'], 2 ** 32)
  const total = gpuBytes(figure(memory['total_vram'] ?? group('vram')['size']), 'MiB')
  const gttTotal = gpuBytes(figure(memory['total_gtt']), 'MiB')
  const links = linksOf(fields['links'], index)
  return amdGpu({
    identity: {
      bus: busIdIn(bus['bdf'] ?? fields['bdf']),
      numbers: [...(kfdId ? [`kfd:${kfdId}`] : []), `amd-smi:${index}`],
    },
    index,
    uuid: nameIn(fields['uuid']),
    name: nameIn(asic['market_name']),
    pciDeviceId: hexIdIn(asic['device_id']),
    architecture: gfxIn(asic['target_graphics_version']),
    computeUnits: countIn(asic['num_compute_units'], 1e4),
    driverVersion: versionIn(driver['version'] ?? driver['driver_version'] ?? driver['VERSION']),
    vram: poolOf(total, gpuBytes(figure(memory['used_vram']), 'MiB')),
    gtt: poolOf(gttTotal, gpuBytes(figure(memory['used_gtt']), 'MiB')),
    utilizationRatio: percentIn(figure(group('usage')['gfx_activity'])),
    powerWatts: wattsIn(figure(power['socket_power'] ?? power['current_socket_power'])),
    powerLimitWatts: wattsIn(figure(limit['socket_power'] ?? limit['max_power'])),
    temperatureCelsius: celsiusIn(
      numberIn(figure(temperature['edge'])) ?? numberIn(figure(temperature['hotspot'])),
    ),
    pcieLanes: countIn(bus['max_pcie_width'], 64) || null,
    pcieGeneration: countIn(/(\d+)/.exec(String(bus['pcie_interface_version']))?.[1], 9) || null,
    numaNode: indexIn(numa['node']),
    links,
  })
}

function linksOf(value: unknown, own: number | null): DeviceLink[] {
  return listOf(value).flatMap((entry): DeviceLink[] => {
    const link = fieldsOf(entry)
    const peerIndex = indexIn(link['gpu'])
    const type = link['link_type']
    if (peerIndex === null || peerIndex === own || (type !== 'XGMI' && type !== 'PCIE')) return []
    const weight = countIn(link['weight'], 1e4)
    return [
      {
        peerIndex,
        kind: type === 'XGMI' ? 'xgmi' : 'pcie',
        detail: weight === null ? null : `weight ${weight}`,
      },
    ]
  })
}

/** `amd-smi version --json`: [{"tool": "AMDSMI Tool", "rocm_version": "6.3.1", …}]. */
export function readAmdSmiVersion(json: unknown): string | null {
  const fields = fieldsOf(Array.isArray(json) ? json[0] : json)
  return versionIn(fields['rocm_version'])
}

export interface AmdSmiTable {
  readonly rocmVersion: string | null
  readonly devices: readonly PartialDevice[]
}

const firstRow =
  /^\|\s*([0-9a-f]{4}:[0-9a-f:.]+)\s+(.+?)\s*\|\s*(\S+)\s+(.+?)\s+\S+\s+(\S+?)\/(\S+ W)\s*\|/i
const secondRow = /^\|\s*(\d+)\s+\S+\s+\S+\s+(\S+)\s*\|\s*(\S+)\s*%?\s+.*?(\S+)\/(\d+ MB)\s*\|/

/** Plain `amd-smi`: a table of two rows for each GPU. */
export function readAmdSmiTable(text: string): AmdSmiTable {
  const lines = text.split(/\r?\n/)
  const devices = lines.flatMap((line, at): PartialDevice[] => {
    const first = firstRow.exec(line)
    if (first === null) return []
    const second = secondRow.exec(lines[at + 1] ?? '')
    const index = indexIn(second?.[1])
    const partition = nameIn(second?.[2])
    return [
      amdGpu({
        identity: { bus: busIdIn(first[1]), numbers: index === null ? [] : [`amd-smi:${index}`] },
        index,
        name: nameIn(first[2]),
        temperatureCelsius: celsiusIn(first[4]),
        powerWatts: wattsIn(first[5]),
        powerLimitWatts: wattsIn(first[6]),
        utilizationRatio: percentIn(second?.[3]),
        vram: poolOf(gpuBytes(second?.[5]), gpuBytes(second?.[4])),
        partition: partition === 'SPX/NPS1' ? null : partition,
      }),
    ]
  })
  return { rocmVersion: versionIn(/ROCm version:\s*(\S+)/.exec(text)?.[1]), devices }
}

/** `amd-smi topology` as text: tables whose rows and columns are PCI addresses. */
export function readAmdSmiTopology(text: string): PartialDevice[] {
  const types = tableOf(text, 'LINK TYPE TABLE:')
  const weights = tableOf(text, 'WEIGHT TABLE:')
  const addresses = [...types.keys()]
  return addresses.map((address, index) => {
    const links = addresses.flatMap((peer, peerIndex): DeviceLink[] => {
      const type = types.get(address)?.get(peer)
      if (type !== 'XGMI' && type !== 'PCIE') return []
      const weight = countIn(weights.get(address)?.get(peer), 1e4)
      return [
        {
          peerIndex,
          kind: type === 'XGMI' ? 'xgmi' : 'pcie',
          detail: weight === null ? null : `weight ${weight}`,
        },
      ]
    })
    return amdGpu({
      identity: { bus: address, numbers: [`amd-smi:${index}`] },
      index,
      links: links.filter(({ peerIndex }) => peerIndex !== index),
    })
  })
}

function tableOf(text: string, title: string): Map<string, Map<string, string>> {
  const lines = text.split(/\r?\n/)
  const at = lines.findIndex((line) => line.trim() === title)
  const header = (lines[at + 1] ?? '').trim().split(/\s+/).map(busIdIn)
  const rows = new Map<string, Map<string, string>>()
  for (const line of at < 0 ? [] : lines.slice(at + 2)) {
    const [first, ...cells] = line.trim().split(/\s+/)
    const address = busIdIn(first)
    if (address === null) break
    rows.set(
      address,
      new Map(header.flatMap((peer, column) => (peer ? [[peer, cells[column] ?? '']] : []))),
    )
  }
  return rows
}
