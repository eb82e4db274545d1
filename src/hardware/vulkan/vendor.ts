/** Whose GPU it is, by the vendor id that Vulkan tells, or by its name. */
import type { Vendor } from '#core/device.ts'

const vendorsById: Readonly<Record<string, Vendor>> = {
  '0x10de': 'nvidia',
  '0x1002': 'amd',
  '0x8086': 'intel',
  '0x106b': 'apple',
}

export function vendorOf(vendorId: string | null, name: string | null): Vendor {
  const known = vendorsById[vendorId?.trim().toLowerCase() ?? '']
  if (known !== undefined) return known
  if (name === null || vendorId !== null) return 'other'
  if (/nvidia|geforce/i.test(name)) return 'nvidia'
  if (/\bamd\b|radeon|radv/i.test(name)) return 'amd'
  if (/^apple\b/i.test(name)) return 'apple'
  return /intel/i.test(name) ? 'intel' : 'other'
}
