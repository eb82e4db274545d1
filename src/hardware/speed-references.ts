/** What is known of the speed of devices by their names, for placement. */
import type { SpeedReferences } from '#core/speed-references.ts'
import { deviceKindOf } from '#hardware/probe-device-kinds.ts'
import { referenceSpeeds } from '#hardware/probe-reference-speeds.ts'

export const speedReferences: SpeedReferences = {
  kindOf({ vendor, name, architecture }) {
    const kind = deviceKindOf(vendor, `${name} ${architecture ?? ''}`)
    if (kind === null) return null
    const { id, gigabytesPerSecond, teraflops } = kind
    return {
      id,
      bandwidthBytesPerSecond: gigabytesPerSecond === null ? null : gigabytesPerSecond * 1e9,
      operationsPerSecond: teraflops === null ? null : teraflops * 1e12,
    }
  },
  speeds: referenceSpeeds,
}
