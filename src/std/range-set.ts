/** Half-open ranges of whole numbers, as few as possible: which bytes of a file are there. */

export interface Range {
  readonly begin: number
  /** The first that is not in it. */
  readonly end: number
}

export class RangeSet {
  /** In order, and never touching each other. */
  #ranges: Range[]

  constructor(ranges: Iterable<Range> = []) {
    this.#ranges = []
    for (const { begin, end } of ranges) this.add(begin, end)
  }

  get ranges(): readonly Range[] {
    return this.#ranges
  }

  /** How many numbers are in it. */
  get size(): number {
    return this.#ranges.reduce((total, { begin, end }) => total + end - begin, 0)
  }

  /** Up to where nothing is missing from 0 on. */
  get prefixEnd(): number {
    const first = this.#ranges[0]
    return first?.begin === 0 ? first.end : 0
  }

  add(begin: number, end: number): void {
    if (end <= begin) return
    const before = this.#ranges.filter((range) => range.end < begin)
    const after = this.#ranges.filter((range) => range.begin > end)
    const touching = this.#ranges.slice(before.length, this.#ranges.length - after.length)
    const merged = {
      begin: Math.min(begin, touching[0]?.begin ?? begin),
      end: Math.max(end, touching.at(-1)?.end ?? end),
    }
    this.#ranges = [...before, merged, ...after]
  }

  clear(): void {
    this.#ranges = []
  }

  /** What is not in it below `limit`, in order. */
  missing(limit: number): Range[] {
    const gaps: Range[] = []
    let at = 0
    for (const { begin, end } of this.#ranges) {
      if (begin >= limit) break
      if (begin > at) gaps.push({ begin: at, end: begin })
      at = end
    }
    if (at < limit) gaps.push({ begin: at, end: limit })
    return gaps
  }
}
