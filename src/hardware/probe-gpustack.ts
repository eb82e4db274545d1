/** `gpustack-runtime detect --format json`: one list for all vendors, in a shape of its own. */
import { z } from 'zod'
import type { PartialDevice } from '#hardware/probe.ts'
import {
  busIdIn,
  celsiusIn,
  countIn,
  fieldsOf,
  gpuBytes,
  indexIn,
  listOf,
  nameIn,
  percentIn,
  versionIn,
  wattsIn,
} from '#hardware/probe-fields.ts'
import { parseJson } from '#std/parse-json.ts'

const architecture = z.string().regex(/^(gfx[0-9a-f]{3,4}|\d{1,2}\.\d)$/)

export function readGpustack(text: string, vendor: 'nvidia' | 'amd'): PartialDevice[] {
  return listOf(parseJson(text)).flatMap((entry): PartialDevice[] => {
    const fields = fieldsOf(entry)
    const appendix = fieldsOf(fields['appendix'])
    if (fields['manufacturer'] !== vendor) return []
    const totalBytes = gpuBytes(fields['memory'])
    const level = architecture.safeParse(fields['compute_capability'])
    const runtime = versionIn(
      (vendor === 'amd' ? fields['runtime_version_original'] : null) ?? fields['runtime_version'],
    )
    const index = indexIn(fields['index'])
    return [
      {
        vendor,
        identity: {
          bus: busIdIn(appendix['bdf']),
          uuid: nameIn(fields['uuid']),
          numbers: index === null ? [] : [`gpustack:${index}`],
        },
        index,
        name: nameIn(fields['name']),
        architecture: level.success ? level.data.replace(/^(\d+)\.(\d)$/, 'sm_$1$2') : null,
        driverVersion: versionIn(fields['driver_version']),
        runtimes: vendor === 'nvidia' ? { cuda: runtime } : { rocm: runtime },
        memory: {
          dedicated:
            totalBytes === null ? null : { totalBytes, usedBytes: gpuBytes(fields['memory_used']) },
        },
        // For NVIDIA "cores" counts CUDA cores, which are no units that anything is scheduled on.
        computeUnits: vendor === 'amd' ? countIn(fields['cores'], 1e4) : null,
        utilizationRatio: percentIn(fields['cores_utilization']),
        temperatureCelsius: celsiusIn(fields['temperature']),
        powerWatts: wattsIn(fields['power_used']),
        powerLimitWatts: wattsIn(fields['power']),
        numaNode: indexIn(appendix['numa']),
        integrated: false,
      },
    ]
  })
}
