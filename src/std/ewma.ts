/** The next value of an exponentially weighted moving average; `previous` is null at the start. */
export function ewma(previous: number | null, sample: number, weight: number): number {
  return previous === null ? sample : previous + weight * (sample - previous)
}
