/** What the kept results say about `fastest` and the best of its rivals, case by case. */
import type { Figures, Results } from './results.ts'
import { rivals } from './rivals.ts'
import { type Estimate, estimate } from './statistics.ts'
import { type FleetName, seeds, type TraceName } from './workload.ts'

export interface Cell {
  readonly attainment: Estimate
  readonly goodput: Estimate
  readonly ttftP99Ms: Estimate
  readonly hits: Estimate
  /** One for each seed. */
  readonly runs: readonly Figures[]
}

/** All seeds of a policy at a fixed load; null while there is none. */
export function cellOf(
  results: Results,
  policy: string,
  { fleet, trace, load }: { fleet: FleetName; trace: TraceName; load: number },
): Cell | null {
  const runs = seeds.flatMap((seed) => {
    const key = `${fleet} ${trace} superpose ${load.toFixed(2)} ${seed}`
    return results.get<Figures>(policy, key) ?? []
  })
  if (runs.length === 0) return null
  return {
    attainment: estimate(runs.map(({ attainment }) => attainment)),
    goodput: estimate(runs.map(({ goodput }) => goodput)),
    ttftP99Ms: estimate(runs.map(({ ttftMs }) => ttftMs[3])),
    hits: estimate(runs.map(({ hits }) => hits)),
    runs,
  }
}

export interface Verdict {
  readonly fastest: Cell
  readonly best: { readonly policy: string; readonly cell: Cell }
  readonly goodputHolds: boolean
  /** The lowest p99 TTFT of rivals that keep the targets of 95 %; null when none does. */
  readonly quickest: { readonly policy: string; readonly cell: Cell } | null
  readonly ttftHolds: boolean
}

/** Less than what is shown: a tenth of a point of attainment, a hundredth of the time. */
const sameAttainment = 0.0005
const sameTtftRatio = 1.01
const attainmentEnough = 0.95

export function verdictOf(
  results: Results,
  at: { fleet: FleetName; trace: TraceName; load: number },
): Verdict | null {
  const fastest = cellOf(results, 'fastest', at)
  if (fastest === null) return null
  const others = rivals.flatMap(({ name: policy }) => {
    const cell = policy === 'fastest' ? null : cellOf(results, policy, at)
    return cell === null ? [] : [{ policy, cell }]
  })
  const best = others.toSorted((a, b) => b.cell.attainment.mean - a.cell.attainment.mean)[0]
  if (best === undefined) return null
  const quickest =
    others
      .filter(({ cell }) => cell.attainment.mean >= attainmentEnough)
      .toSorted((a, b) => a.cell.ttftP99Ms.mean - b.cell.ttftP99Ms.mean)[0] ?? null
  return {
    fastest,
    best,
    goodputHolds: fastest.attainment.mean >= best.cell.attainment.mean - sameAttainment,
    quickest,
    ttftHolds:
      quickest === null || fastest.ttftP99Ms.mean <= quickest.cell.ttftP99Ms.mean * sameTtftRatio,
  }
}
