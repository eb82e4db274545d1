/**
 * `nvidia-smi --query-gpu` and `--query-compute-apps`: CSV. With its header, a row is read by the
 * names of the columns; without one, by the fields the command asked for.
 */
import type { MemoryUser } from '#core/device.ts'
import { architectureOfCapability, integratedNames } from '#hardware/nvidia/names.ts'
import { generationOf, lanesOf, withMigOn } from '#hardware/nvidia/smi-log.ts'
import type { PartialDevice } from '#hardware/probe.ts'
import {
  busIdIn,
  celsiusIn,
  countIn,
  gpuBytes,
  hexIdIn,
  indexIn,
  nameIn,
  numberIn,
  percentIn,
  versionIn,
  wattsIn,
} from '#hardware/probe-fields.ts'

type Row = ReadonlyMap<string, string>

/** Rows by column name; null when this is no CSV with one of the columns. */
function rowsOf(
  text: string,
  args: readonly string[],
  option: string,
  columns: readonly string[],
): Row[] | null {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '')
  const first = splitRow(lines[0] ?? '').map((cell) => cell.replace(/ \[.*\]$/, ''))
  const asked = args.find((arg) => arg.startsWith(`${option}=`))
  const hasHeader = columns.filter((name) => first.includes(name)).length >= 2
  const header = hasHeader ? first : asked?.slice(option.length + 1).split(',')
  if (header === undefined) return null
  const body = hasHeader ? lines.slice(1) : lines
  return body
    .map(splitRow)
    .filter((cells) => cells.length === header.length)
    .map((cells) => new Map(header.map((name, index) => [name.trim(), cells[index] ?? ''])))
}

function splitRow(line: string): string[] {
  return line.split(', ').map((cell) => cell.trim())
}

/** "[N/A]", "[Not Supported]", "[GPU requires reset]": words in brackets are no value. */
function cell(row: Row, ...names: readonly string[]): string | null {
  for (const name of names) {
    const text = row.get(name)
    if (text !== undefined && text !== '' && !/^(\[.*\]|N\/A)$/i.test(text)) return text
  }
  return null
}

/** Null when the text is something else. */
export function readQueryGpu(
  text: string,
  args: readonly string[],
): { devices: PartialDevice[]; driverVersion: string | null } | null {
  const rows = rowsOf(text, args, '--query-gpu', ['name', 'uuid', 'memory.total', 'index'])
  if (rows === null) return null
  const devices = rows.flatMap((row): PartialDevice[] => {
    const index = indexIn(cell(row, 'index'))
    const name = nameIn(cell(row, 'name', 'gpu_name'))
    if (name === null && index === null) return []
    const totalBytes = gpuBytes(cell(row, 'memory.total'))
    const usedBytes = gpuBytes(cell(row, 'memory.used'))
    const reset = [...row.values()].some((value) => value === '[GPU requires reset]')
    const gpu: PartialDevice = {
      vendor: 'nvidia',
      identity: {
        bus: busIdIn(cell(row, 'pci.bus_id', 'gpu_bus_id')),
        uuid: cell(row, 'uuid', 'gpu_uuid'),
        numbers: index === null ? [] : [`nvidia-smi:${index}`],
      },
      index,
      name,
      integrated: name !== null && integratedNames.test(name),
      pciDeviceId: hexIdIn(cell(row, 'pci.device_id')?.replace(/10DE$/i, '')),
      architecture: architectureOfCapability(cell(row, 'compute_cap')),
      memory: {
        dedicated: totalBytes === null ? null : { totalBytes, usedBytes },
        reservedBytes: gpuBytes(cell(row, 'memory.reserved')),
      },
      powerWatts: wattsIn(cell(row, 'power.draw.instant', 'power.draw')),
      powerLimitWatts: wattsIn(cell(row, 'enforced.power.limit', 'power.limit')),
      temperatureCelsius: celsiusIn(cell(row, 'temperature.gpu')),
      utilizationRatio: percentIn(cell(row, 'utilization.gpu')),
      pcieGeneration: generationOf(cell(row, 'pcie.link.gen.max')),
      pcieLanes: lanesOf(cell(row, 'pcie.link.width.max')),
      ...(reset ? { blockedBecause: 'the GPU needs a reset' } : {}),
      ...(cell(row, 'compute_mode') === 'Prohibited'
        ? { blockedBecause: 'its compute mode is Prohibited' }
        : {}),
    }
    return [cell(row, 'mig.mode.current') === 'Enabled' ? withMigOn(gpu) : gpu]
  })
  const driver = rows.map((row) => versionIn(cell(row, 'kmd_version', 'driver_version')))
  return { devices, driverVersion: driver.find((version) => version !== null) ?? null }
}

export interface ComputeApp {
  readonly uuid: string | null
  readonly bus: string | null
  readonly user: MemoryUser
}

/** Null when the text is something else. */
export function readComputeApps(text: string, args: readonly string[]): ComputeApp[] | null {
  const columns = ['pid', 'process_name', 'used_memory', 'used_gpu_memory']
  const rows = rowsOf(text, args, '--query-compute-apps', columns)
  if (rows === null) return null
  return rows.flatMap((row) => {
    const pid = countIn(cell(row, 'pid'), 2 ** 31)
    if (pid === null) return []
    const used = cell(row, 'used_memory', 'used_gpu_memory')
    return [
      {
        uuid: cell(row, 'gpu_uuid'),
        bus: busIdIn(cell(row, 'gpu_bus_id')),
        user: {
          pid,
          name: nameIn(cell(row, 'process_name')),
          usedMemoryBytes: numberIn(used) === null ? null : gpuBytes(used),
        },
      },
    ]
  })
}
