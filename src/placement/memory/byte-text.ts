/** Amounts in the reasons of memory terms, in powers of two, as devices are sold. */
export function byteText(bytes: number): string {
  const mebibytes = bytes / 2 ** 20
  if (Math.abs(mebibytes) < 10) return `${mebibytes.toFixed(1)} MiB`
  if (Math.abs(mebibytes) < 1024) return `${Math.round(mebibytes)} MiB`
  const gibibytes = mebibytes / 1024
  return `${gibibytes.toFixed(Math.abs(gibibytes) < 100 ? 1 : 0)} GiB`
}

export function countText(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',')
}
