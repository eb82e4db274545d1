/**
 * The value below which a part `q` of the values lies, between two values in proportion (type 7 of
 * Hyndman and Fan, which most tools use). `sorted` in rising order; null when there are none.
 */
export function quantile(sorted: ArrayLike<number>, q: number): number | null {
  if (sorted.length === 0) return null
  const place = (sorted.length - 1) * q
  const below = Math.floor(place)
  const value = sorted[below] as number
  const next = sorted[Math.min(below + 1, sorted.length - 1)] as number
  return value + (next - value) * (place - below)
}
