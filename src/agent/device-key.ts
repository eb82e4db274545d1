/** What a device is written down as, to be found again in a later inventory: vendor and number. */
import type { Device } from '#core/device.ts'

export function deviceKey({ vendor, index }: Device): string {
  return `${vendor}:${index ?? 0}`
}

/** `keys` as they were written one after the other, with blanks between. */
export function devicesOf(devices: readonly Device[], keys: string): Device[] {
  const wanted = new Set(keys.split(' '))
  return devices.filter((device) => wanted.has(deviceKey(device)))
}
