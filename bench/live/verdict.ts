/** Whether a live run says what the simulator says: who is before whom, and by how much. */

export interface Compared {
  readonly load: number
  readonly proxy: string
  /** Parts of all requests that kept both targets. */
  readonly attainment: number
  readonly predicted: number
}

export interface Verdict {
  readonly load: number
  /** The best first. */
  readonly ranking: readonly string[]
  readonly predictedRanking: readonly string[]
  /** Whether no pair is clearly in one order here and clearly in the other there. */
  readonly rankingAgrees: boolean
  /** The largest difference between an attainment and its prediction, in points. */
  readonly largestGapPoints: number
  readonly withinFivePoints: boolean
}

/** Attainments that differ by less are equal: a request more or less of some hundred. */
const equalPoints = 1
const gapPointsMax = 5

export function verdictsOf(rows: readonly Compared[]): Verdict[] {
  return [...new Set(rows.map(({ load }) => load))].map((load) => {
    const those = rows.filter((row) => row.load === load)
    const largestGapPoints = Math.max(
      ...those.map(({ attainment, predicted }) => 100 * Math.abs(attainment - predicted)),
    )
    return {
      load,
      ranking: ranked(those, ({ attainment }) => attainment),
      predictedRanking: ranked(those, ({ predicted }) => predicted),
      rankingAgrees: those.every((one) => those.every((other) => !areSwapped(one, other))),
      largestGapPoints,
      withinFivePoints: largestGapPoints <= gapPointsMax,
    }
  })
}

function ranked(rows: readonly Compared[], by: (row: Compared) => number): string[] {
  return rows.toSorted((one, other) => by(other) - by(one)).map(({ proxy }) => proxy)
}

/** One is clearly better here, and clearly worse there. */
function areSwapped(one: Compared, other: Compared): boolean {
  const hereBetter = 100 * (one.attainment - other.attainment) > equalPoints
  const thereWorse = 100 * (other.predicted - one.predicted) > equalPoints
  return hereBetter && thereWorse
}
