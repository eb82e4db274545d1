/**
 * How the devices of a node are told apart, by agents and by placement alike: vendor and number, as
 * `nvidia-0`. Slices of one GPU share its number and get one more: `nvidia-0.1`.
 */
import type { Device } from '#core/device.ts'

/** In the order of the devices; no two are alike. */
export function deviceIds(devices: readonly Pick<Device, 'vendor' | 'index'>[]): string[] {
  const seen = new Map<string, number>()
  return devices.map(({ vendor, index }) => {
    const id = `${vendor}-${index ?? 0}`
    const before = seen.get(id) ?? 0
    seen.set(id, before + 1)
    return before === 0 ? id : `${id}.${before}`
  })
}
