/** Memory in a sentence: `24 GiB`, `512 MiB`. In powers of two, as devices are sold. */
export function memoryText(bytes: number): string {
  const mebibytes = bytes / 2 ** 20
  if (Math.abs(mebibytes) < 10) return `${Number(mebibytes.toFixed(1))} MiB`
  if (Math.abs(mebibytes) < 1024) return `${Math.round(mebibytes)} MiB`
  const gibibytes = mebibytes / 1024
  return `${Number(gibibytes.toFixed(Math.abs(gibibytes) < 100 ? 1 : 0))} GiB`
}
