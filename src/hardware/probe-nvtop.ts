/**
 * `nvtop --snapshot`: all vendors in one list, by name and without addresses, so it counts only
 * where a vendor's own tools say nothing.
 */
import type { PartialDevice } from '#hardware/probe.ts'
import {
  celsiusIn,
  fieldsOf,
  gpuBytes,
  listOf,
  nameIn,
  percentIn,
  wattsIn,
} from '#hardware/probe-fields.ts'
import { parseJson } from '#std/parse-json.ts'

const namesOf = {
  nvidia: /nvidia|geforce|quadro|tesla/i,
  amd: /\bamd\b|radeon|instinct/i,
  intel: /\bintel\b|\barc\b/i,
} as const

export function readNvtop(text: string, vendor: keyof typeof namesOf): PartialDevice[] {
  return listOf(parseJson(text)).flatMap((entry): PartialDevice[] => {
    const fields = fieldsOf(entry)
    const name = nameIn(fields['device_name'])
    if (name === null || !namesOf[vendor].test(name)) return []
    const totalBytes = gpuBytes(fields['mem_total'], 'B')
    const pool =
      totalBytes === null ? null : { totalBytes, usedBytes: gpuBytes(fields['mem_used'], 'B') }
    // It adds up the carve-out and what may be mapped, so for an integrated GPU it is one pool.
    const integrated = /Radeon (\d{3}M|Graphics|Vega)|Iris|UHD/.test(name)
    return [
      {
        vendor,
        identity: {},
        name,
        integrated,
        memory: integrated ? { shared: pool } : { dedicated: pool },
        unifiedMemory: integrated,
        temperatureCelsius: celsiusIn(fields['temp']),
        powerWatts: wattsIn(fields['power_draw']),
        utilizationRatio: percentIn(fields['gpu_util']),
      },
    ]
  })
}
