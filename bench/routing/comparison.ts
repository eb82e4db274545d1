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

interface At {
  readonly fleet: FleetName
  readonly trace: TraceName
  readonly load: number
}

/** All seeds of a policy at a fixed load, or those of some; null while there is none. */
export function cellOf(
  results: Results,
  policy: string,
  at: At,
  of: readonly number[] = seeds,
): Cell | null {
  const runs = of.flatMap((seed) => runOf(results, policy, at, seed) ?? [])
  if (runs.length === 0) return null
  return {
    attainment: estimate(runs.map(({ attainment }) => attainment)),
    goodput: estimate(runs.map(({ goodput }) => goodput)),
    ttftP99Ms: estimate(runs.map(({ ttftMs }) => ttftMs[3])),
    hits: estimate(runs.map(({ hits }) => hits)),
    runs,
  }
}

/** Two policies on the seeds that both were run on: only there did they meet the same requests. */
export function pairOf(results: Results, policy: string, other: string, at: At) {
  const both = seeds.filter(
    (seed) =>
      runOf(results, policy, at, seed) !== undefined &&
      runOf(results, other, at, seed) !== undefined,
  )
  const own = cellOf(results, policy, at, both)
  const cell = cellOf(results, other, at, both)
  return own === null || cell === null ? null : { own, cell }
}

function runOf(results: Results, policy: string, { fleet, trace, load }: At, seed: number) {
  return results.get<Figures>(policy, `${fleet} ${trace} superpose ${load.toFixed(2)} ${seed}`)
}

/** Another policy, and `fastest` on the seeds that both were run on. */
export interface Pair {
  readonly policy: string
  readonly own: Cell
  readonly cell: Cell
}

export interface Verdict {
  readonly fastest: Cell
  readonly best: Pair
  readonly goodputHolds: boolean
  /** The lowest p99 TTFT of rivals that keep the targets of 95 %; null when none does. */
  readonly quickest: Pair | null
  /** Null without such a rival: a goal that nobody could have missed is not held. */
  readonly ttftHolds: boolean | null
}

/** Less than what is shown: a tenth of a point of attainment, a hundredth of the time. */
const sameAttainment = 0.0005
const sameTtftRatio = 1.01
const attainmentEnough = 0.95

/** The policy that comes nearest to `fastest`, or is furthest ahead of it; null while there is none. */
export function nearest(
  pairs: readonly Pair[],
  measure: (cell: Cell) => number = ({ attainment }) => attainment.mean,
): Pair | null {
  const ahead = ({ own, cell }: Pair) => measure(cell) - measure(own)
  return pairs.toSorted((a, b) => ahead(b) - ahead(a))[0] ?? null
}

export function pairsOf(results: Results, at: At): readonly Pair[] {
  return rivals.flatMap(({ name: policy }) => {
    const pair = policy === 'fastest' ? null : pairOf(results, 'fastest', policy, at)
    return pair === null ? [] : [{ policy, ...pair }]
  })
}

/** Attainment of one of several models. */
export const modelAttainment = ({ runs }: Cell, model: string) =>
  estimate(runs.flatMap(({ models }) => models?.[model] ?? []))

/** Whether so large a part of requests in time is as good as another, as far as is shown. */
export const isAsGood = (own: number, other: number) => own >= other - sameAttainment

export function verdictOf(results: Results, at: At): Verdict | null {
  const fastest = cellOf(results, 'fastest', at)
  if (fastest === null) return null
  const others = pairsOf(results, at)
  const best = nearest(others)
  if (best === null) return null
  const quickest =
    others
      .filter(({ cell }) => cell.attainment.mean >= attainmentEnough)
      .toSorted(
        (a, b) =>
          a.cell.ttftP99Ms.mean / a.own.ttftP99Ms.mean -
          b.cell.ttftP99Ms.mean / b.own.ttftP99Ms.mean,
      )[0] ?? null
  return {
    fastest,
    best,
    goodputHolds: isAsGood(best.own.attainment.mean, best.cell.attainment.mean),
    quickest,
    ttftHolds:
      quickest === null
        ? null
        : quickest.own.ttftP99Ms.mean <= quickest.cell.ttftP99Ms.mean * sameTtftRatio,
  }
}
