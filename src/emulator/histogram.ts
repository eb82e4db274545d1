/** A Prometheus histogram with fixed bounds. */
export class Histogram {
  readonly #bounds: readonly number[]
  readonly #counts: number[]
  #sum = 0
  #count = 0

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = bounds.map(() => 0)
  }

  observe(value: number): void {
    this.#sum += value
    this.#count += 1
    const index = this.#bounds.findIndex((bound) => value <= bound)
    if (index !== -1) this.#counts[index] = (this.#counts[index] ?? 0) + 1
  }

  /** The lines of the text format; `labels` without braces. */
  lines(name: string, labels: string): string[] {
    let below = 0
    const buckets = this.#bounds.map((bound, index) => {
      below += this.#counts[index] ?? 0
      return `${name}_bucket{le="${bound}",${labels}} ${below}`
    })
    return [
      `# TYPE ${name} histogram`,
      ...buckets,
      `${name}_bucket{le="+Inf",${labels}} ${this.#count}`,
      `${name}_sum{${labels}} ${this.#sum}`,
      `${name}_count{${labels}} ${this.#count}`,
    ]
  }
}

/** One sample with its type line. */
export function sample(
  name: string,
  type: 'gauge' | 'counter',
  labels: string,
  value: number,
): string[] {
  const braces = labels === '' ? '' : `{${labels}}`
  return [`# TYPE ${name} ${type}`, `${name}${braces} ${value}`]
}
