/**
 * What an arrangement is worth, and what comes first: nobody of a higher priority goes without for
 * the sake of a lower one; then as little as possible of what runs is moved; then seconds.
 */
export interface Worth {
  /** Units without a place, by priority, the lowest priority first. */
  readonly unmet: readonly number[]
  /** Replicas that run well and do not stay. */
  readonly moved: number
  readonly seconds: number
}

/** Differences of less than this are noise of the sums. */
const leastSeconds = 1e-6

/** Negative when the first is better. */
export function compareWorth(a: Worth, b: Worth): number {
  for (let priority = a.unmet.length - 1; priority >= 0; priority -= 1) {
    const difference = a.unmet[priority]! - b.unmet[priority]!
    if (difference !== 0) return difference
  }
  if (a.moved !== b.moved) return a.moved - b.moved
  const difference = a.seconds - b.seconds
  return Math.abs(difference) < leastSeconds ? 0 : difference
}
