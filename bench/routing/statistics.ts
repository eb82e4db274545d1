export interface Estimate {
  readonly mean: number
  /** Half of the 95 % interval; 0 for a single value. */
  readonly within: number
  readonly count: number
}

/** Student's t for 95 %, by the number of values less one. */
const student = [0, 12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]

export function estimate(values: readonly number[]): Estimate {
  const count = values.length
  const mean = values.reduce((sum, value) => sum + value, 0) / count
  if (count < 2) return { mean, within: 0, count }
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1)
  return { mean, within: (student[count - 1] ?? 2) * Math.sqrt(variance / count), count }
}
