/**
 * Figures as tools print them. Each reader returns null for what is no figure ("[N/A]", "ERR!",
 * another language) and for what no machine has: a misread figure is worse than none.
 */

export const bytesPerMiB = 2 ** 20

/** A GPU with more than 4 TiB, or a node with more than 64 TiB, is a misread figure. */
const gpuBytesMax = 4 * 2 ** 40
const nodeBytesMax = 64 * 2 ** 40

const leadingNumber = /^\s*([+-]?\d{1,20}(?:\.\d{1,12})?)\s*([A-Za-z%/°]*)/

/** The number a text begins with, whatever unit follows; null for anything else. */
export function numberIn(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null
  if (typeof value !== 'string') return null
  const match = leadingNumber.exec(value)
  return match?.[1] === undefined ? null : Number(match[1])
}

function within(value: number | null, min: number, max: number): number | null {
  return value !== null && value >= min && value <= max ? value : null
}

/** A count of things, as a whole number. */
export function countIn(value: unknown, max: number): number | null {
  const count = within(numberIn(value), 0, max)
  return count !== null && Number.isInteger(count) ? count : null
}

export function indexIn(value: unknown): number | null {
  return countIn(value, 4_095)
}

const unitBytes: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1_024, // Linux writes kB for KiB, AMD and Intel MB for MiB
  kib: 1_024,
  mb: bytesPerMiB,
  mib: bytesPerMiB,
  gb: 2 ** 30,
  gib: 2 ** 30,
}

/**
 * "24564 MiB" in bytes; without a unit it counts in `unit`. Memory of GPUs is sold and printed in
 * powers of two, whatever the unit is called.
 */
export function gpuBytes(value: unknown, unit: 'B' | 'MiB' = 'MiB'): number | null {
  return bytesIn(value, unit, gpuBytesMax)
}

export function nodeBytes(value: unknown, unit: 'B' | 'kB' = 'B'): number | null {
  return bytesIn(value, unit, nodeBytesMax)
}

function bytesIn(value: unknown, unit: string, max: number): number | null {
  const number = numberIn(value)
  if (number === null) return null
  const written = typeof value === 'string' ? (leadingNumber.exec(value)?.[2] ?? '') : ''
  const scale = unitBytes[(written || unit).toLowerCase()]
  return scale === undefined ? null : within(Math.round(number * scale), 0, max)
}

export function wattsIn(value: unknown): number | null {
  return within(numberIn(value), 0, 5_000)
}

/** Sensors that are off read 0 or less; nothing that computes is that cold. */
export function celsiusIn(value: unknown): number | null {
  return within(numberIn(value), 1, 150)
}

/** A percentage as a ratio, 0 to 1. */
export function percentIn(value: unknown): number | null {
  const percent = within(numberIn(value), 0, 100)
  return percent === null ? null : Number((percent / 100).toFixed(4))
}

/** "00000000:0C:00.0" as "0000:0c:00.0"; null for what is no PCI address. */
export function busIdIn(value: unknown): string | null {
  if (typeof value !== 'string') return null
  const match = /^\s*(?:([0-9a-f]{1,8}):)?([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-7])\s*$/i.exec(value)
  if (match === null) return null
  const [, domain = '0', bus = '', slot = '', fn = ''] = match
  const domainHex = Number.parseInt(domain, 16).toString(16).padStart(4, '0')
  return `${domainHex}:${bus.padStart(2, '0')}:${slot.padStart(2, '0')}.${fn}`.toLowerCase()
}

/** "0x74A1", "74a1" or 29857 as "0x74a1". */
export function hexIdIn(value: unknown): string | null {
  if (typeof value === 'number') {
    return Number.isInteger(value) && value > 0 && value <= 0xffff ? hex(value) : null
  }
  if (typeof value !== 'string') return null
  const match = /^\s*(?:0x)?([0-9a-f]{2,4})\s*$/i.exec(value)
  return match?.[1] === undefined ? null : hex(Number.parseInt(match[1], 16))
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`
}

const unknownWords = /^(n\/?a|none|unknown|null|not found|not supported|err!?)$/i

/** A name as people read it; null when the tool knows none. */
export function nameIn(value: unknown): string | null {
  if (typeof value !== 'string') return null
  const clean = value
    // biome-ignore lint/suspicious/noControlCharactersInRegex: names come from firmware
    .replace(/[\u0000-\u001f\u007f-\u009f\ufffd]+/g, ' ')
    .replace(/\((?:TM|R|C)\)/g, '')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 160)
    .toWellFormed()
  const nothing = clean === '' || unknownWords.test(clean) || /^\[.*\]$/.test(clean)
  return nothing ? null : clean
}

/** A version such as 595.71.05, 6.17.1-300.fc43.x86_64 or 1.3.260; null for other text. */
export function versionIn(value: unknown): string | null {
  if (typeof value !== 'string') return null
  // The driver in the kernel's own tree names itself by the banner of the kernel, blanks removed.
  const text = value.trim().replace(/^Linux\s*version\s*/i, '')
  const match = /^v?(\d{1,8}(?:\.\d{1,8})*(?:[-+.~][0-9A-Za-z._+~-]{1,48})?)/.exec(text)
  const version = match?.[1]
  if (version === undefined || (!version.includes('.') && !/^\d+$/.test(text))) return null
  return version
}

/** Terminal colours and underlines away: tools print them even into pipes. */
export function withoutAnsi(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what escapes are made of
  return text.replace(/\u001b\[[0-9;]*[A-Za-z]/g, '')
}

/** The fields of an object somebody else wrote; none when it is no object. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {}
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
