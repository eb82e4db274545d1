/** What programs that compute see of Intel GPUs: sycl-ls, clinfo, intel_gpu_top. */
import { intelGpu } from '#hardware/intel/gpu.ts'
import { architectureOfIp } from '#hardware/intel/names.ts'
import type { PartialDevice } from '#hardware/probe.ts'
import {
  busIdIn,
  countIn,
  fieldsOf,
  gpuBytes,
  indexIn,
  listOf,
  nameIn,
  numberIn,
  versionIn,
  wattsIn,
} from '#hardware/probe-fields.ts'
import { parseJson } from '#std/parse-json.ts'

const levelZeroLine =
  /^\[(?:ext_oneapi_)?level_zero:gpu(?::\d+)?\](?:\[level_zero:(\d+)\])? .*?Level-Zero,? (.+?) (\d+\.\d+(?:\.\d+)?) \[([^\]]+)\]/

/** One line for each device and runtime; Level Zero has them once each, in the order engines use. */
export function readSyclLs(text: string): PartialDevice[] {
  const lines = text.split(/\r?\n/)
  const devices = lines.flatMap((line): PartialDevice[] => {
    const match = levelZeroLine.exec(line)
    const index = indexIn(match?.[1] ?? '0')
    if (match === null || index === null) return []
    return [
      intelGpu({
        identity: { numbers: [`level-zero:${index}`] },
        index,
        name: nameIn(match[2]),
        architecture: architectureOfIp(match[3] ?? null),
        runtimes: { levelZero: versionIn(match[4]) },
      }),
    ]
  })
  return devices
}

/** `clinfo --json`: the only tool that tells how much memory an integrated GPU may take. */
export function readClinfo(text: string): PartialDevice[] {
  const platforms = listOf(fieldsOf(parseJson(text))['devices'])
  const devices = platforms.flatMap((platform) =>
    listOf(fieldsOf(platform)['online']).map(fieldsOf),
  )
  return devices.flatMap((fields): PartialDevice[] => {
    const name = nameIn(fields['CL_DEVICE_NAME'])
    const types = JSON.stringify(fields['CL_DEVICE_TYPE'] ?? '')
    if (name === null || !/Intel/.test(String(fields['CL_DEVICE_VENDOR'])) || !/GPU/.test(types)) {
      return []
    }
    const integrated = fields['CL_DEVICE_HOST_UNIFIED_MEMORY']
    const totalBytes = gpuBytes(fields['CL_DEVICE_GLOBAL_MEM_SIZE'], 'B')
    const bus = /\b([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])\b/i.exec(
      String(fields['CL_DEVICE_PCI_BUS_INFO_KHR']),
    )
    return [
      intelGpu({
        identity: { bus: busIdIn(bus?.[1]) },
        name,
        integrated: typeof integrated === 'boolean' ? integrated : null,
        computeUnits: countIn(fields['CL_DEVICE_MAX_COMPUTE_UNITS'], 1e4),
        pool: totalBytes === null ? null : { totalBytes, usedBytes: null },
      }),
    ]
  })
}

/** `intel_gpu_top -J`: an array that never ends, of frames about the first GPU. */
export function readIntelGpuTop(text: string): PartialDevice[] {
  const frame = fieldsOf(parseJson(text) ?? firstObject(text))
  const engines = Object.values(fieldsOf(frame['engines'])).map((engine) =>
    numberIn(fieldsOf(engine)['busy']),
  )
  if (engines.length === 0) return []
  const busy = Math.max(...engines.map((percent) => percent ?? 0))
  return [
    intelGpu({
      identity: { numbers: ['intel-gpu-top:0'] },
      utilizationRatio: busy >= 0 && busy <= 100 ? Number((busy / 100).toFixed(4)) : null,
      powerWatts: wattsIn(fieldsOf(frame['power'])['GPU']),
    }),
  ]
}

function firstObject(text: string): unknown {
  const start = text.indexOf('{')
  const end = text.search(/^\}/m)
  return start < 0 || end < start ? undefined : parseJson(text.slice(start, end + 1))
}
