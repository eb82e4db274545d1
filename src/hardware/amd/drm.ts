/** The graphics driver's files of an AMD card: memory in use, sensors, the link it sits on. */
import { amdGpu, poolOf } from '#hardware/amd/gpu.ts'
import type { Captured, PartialDevice } from '#hardware/probe.ts'
import {
  celsiusIn,
  countIn,
  gpuBytes,
  nameIn,
  numberIn,
  percentIn,
  wattsIn,
} from '#hardware/probe-fields.ts'
import { pciGpus } from '#hardware/probe-pci.ts'

const names = [
  'mem_info_vram_total',
  'mem_info_vram_used',
  'mem_info_gtt_total',
  'mem_info_gtt_used',
  'gpu_busy_percent',
  'product_name',
  'max_link_width',
  'current_compute_partition',
  'current_memory_partition',
  'hwmon/hwmon#/temp1_input',
  'hwmon/hwmon#/power1_average',
  'hwmon/hwmon#/power1_input',
  'hwmon/hwmon#/power1_cap',
]

export const amdDrmFiles = names.flatMap((name) => [
  `/sys/class/drm/card#/device/${name}`,
  `/sys/bus/pci/devices/*/${name}`,
])

export const amdVendorId = '0x1002'

export function readDrm(captured: Captured): PartialDevice[] {
  const { files } = captured
  return pciGpus(captured, amdVendorId).map(({ bus, deviceId, numaNode, folder, driver }) => {
    const file = (name: string): string | undefined => files.get(`${folder}/${name}`)
    const sensor = (name: string): string | undefined =>
      [...files].find(
        ([path]) => path.startsWith(`${folder}/hwmon/`) && path.endsWith(`/${name}`),
      )?.[1]
    const bytes = (name: string): number | null => gpuBytes(file(`mem_info_${name}`), 'B')
    const partitions = [file('current_compute_partition'), file('current_memory_partition')]
      .flatMap((text) => nameIn(text) ?? [])
      .join('/')
    const memoryIsTold = bytes('vram_total') !== null
    return amdGpu({
      identity: { bus },
      name: nameIn(file('product_name')),
      pciDeviceId: deviceId,
      numaNode,
      vram: poolOf(bytes('vram_total'), bytes('vram_used')),
      gtt: poolOf(bytes('gtt_total'), bytes('gtt_used')),
      utilizationRatio: percentIn(file('gpu_busy_percent')),
      temperatureCelsius: celsiusIn(scaled(sensor('temp1_input'), 1_000)),
      powerWatts: wattsIn(scaled(sensor('power1_average') ?? sensor('power1_input'), 1e6)),
      powerLimitWatts: wattsIn(scaled(sensor('power1_cap'), 1e6)),
      pcieLanes: countIn(file('max_link_width'), 64) || null,
      // A whole GPU is one partition; that is worth no word.
      partition: /^(SPX\/NPS1)?$/.test(partitions) ? null : partitions,
      ...(driver === null && !memoryIsTold
        ? { blockedIfAlone: 'no amdgpu driver is loaded for it' }
        : {}),
    })
  })
}

function scaled(text: string | undefined, divisor: number): number | null {
  const value = numberIn(text)
  return value === null ? null : value / divisor
}
