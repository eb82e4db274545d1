/** Numbers as people read them, in few letters. Sizes of files are in powers of ten, as hubs print them. */

export function bytesText(bytes: number): string {
  return scaled(bytes, [
    [1e12, 'TB'],
    [1e9, 'GB'],
    [1e6, 'MB'],
    [1e3, 'kB'],
  ])
}

/** `8.0 B` parameters: billions, as models are named. */
export function parametersText(count: number): string {
  return scaled(count, [
    [1e12, 'T'],
    [1e9, 'B'],
    [1e6, 'M'],
    [1e3, 'k'],
  ])
}

/** `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function durationText(ms: number): string {
  const seconds = Math.ceil(ms / 1_000)
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  if (minutes < 1) return `${seconds} s`
  if (hours < 1) return `${minutes} min ${seconds % 60} s`
  return hours < 24
    ? `${hours} h ${minutes % 60} min`
    : `${Math.floor(hours / 24)} d ${hours % 24} h`
}

function scaled(value: number, units: readonly (readonly [number, string])[]): string {
  for (const [unit, name] of units) {
    if (value >= unit) return `${(value / unit).toFixed(value < 100 * unit ? 1 : 0)} ${name}`
  }
  return `${Math.round(value)}${units.at(-1)?.[1] === 'kB' ? ' B' : ''}`
}

/** Memory in the cell of a table, where each letter counts: `24G`, `512M`; elsewhere it has its unit. */
export function memoryCell(bytes: number): string {
  const gibibytes = bytes / 2 ** 30
  if (bytes > 0 && gibibytes < 1) return `${Math.max(1, Math.round(bytes / 2 ** 20))}M`
  return `${gibibytes >= 100 ? Math.round(gibibytes) : Number(gibibytes.toFixed(1))}G`
}
