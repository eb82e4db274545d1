/** `amdgpu_top -d -J`: everything of each GPU as one JSON dump. */
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
  listOf,
  nameIn,
  numberIn,
  percentIn,
  versionIn,
  wattsIn,
} from '#hardware/probe-fields.ts'
import { parseJson } from '#std/parse-json.ts'

export function readAmdgpuTop(text: string): { devices: PartialDevice[]; rocm: string | null } {
  const dumps = listOf(parseJson(text)).map(fieldsOf)
  const gpus = dumps.filter((fields) => busIdIn(fields['PCI']) !== null)
  return {
    devices: gpus.map(readDump),
    rocm: gpus.map((fields) => versionIn(fields['ROCm Version'])).find(Boolean) ?? null,
  }
}

function readDump(fields: Readonly<Record<string, unknown>>): PartialDevice {
  const sensors = fieldsOf(fields['Sensors'])
  const value = (group: unknown): number | null => numberIn(fieldsOf(group)['value'])
  const link = fieldsOf(fieldsOf(fields['PCIe Link'])['max_gpu_link'])
  const bandwidth = fieldsOf(fields['Peak Memory Bandwidth'])
  const gigabytes = bandwidth['unit'] === 'GB/s' ? value(bandwidth) : null
  const cap = fieldsOf(fields['Power Cap'])
  return amdGpu({
    identity: { bus: busIdIn(fields['PCI']) },
    name: nameIn(fields['DeviceName']),
    pciDeviceId: hexIdIn(fields['DeviceID']),
    architecture: gfxIn(fields['gfx_target_version']),
    integrated: fields['GPU Type'] === 'APU' ? true : fields['GPU Type'] === 'dGPU' ? false : null,
    computeUnits: countIn(fields['Total Compute Unit'], 1e4),
    vram: poolOf(gpuBytes(fields['VRAM Size'], 'B'), gpuBytes(fields['VRAM Usage Size'], 'B')),
    gtt: poolOf(gpuBytes(fields['GTT Size'], 'B'), gpuBytes(fields['GTT Usage Size'], 'B')),
    utilizationRatio: percentIn(value(fieldsOf(fields['gpu_activity'])['GFX'])),
    temperatureCelsius: celsiusIn(value(sensors['Edge Temperature'])),
    powerWatts: wattsIn(value(sensors['Average Power']) ?? value(sensors['Input Power'])),
    powerLimitWatts: wattsIn(numberIn(cap['current']) ?? value(cap['current'])),
    memoryBandwidthBytesPerSecond:
      gigabytes !== null && gigabytes > 0 && gigabytes < 20_000 ? gigabytes * 1e9 : null,
    pcieGeneration: countIn(link['gen'], 9) || null,
    pcieLanes: countIn(link['width'], 64) || null,
  })
}
