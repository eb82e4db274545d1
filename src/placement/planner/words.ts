/** Figures as they stand in reasons. */
const gibibyte = 2 ** 30

export function gibibytes(bytes: number): string {
  const amount = bytes / gibibyte
  return `${amount >= 100 ? amount.toFixed(0) : amount.toFixed(1)} GiB`
}

export function seconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`
}
