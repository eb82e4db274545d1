import { type Bench, type Case, keyOf } from './bench.ts'
import type { Figures, Results } from './results.ts'
import { type How, seeds } from './workload.ts'

/** Loads that are tried: parts of the bound, two hundredths apart. */
const stepRatio = 0.02
const stepsMax = 55
/** Where the highest of them is met, higher ones are tried: a tenth of the requests may be left out. */
const moreStepsMax = 100

/**
 * The highest load, in parts of the bound, at which so many requests keep their targets on average
 * of all seeds, by bisection; 0 when the lowest is too much.
 */
export async function measureMaxRate(
  bench: Bench,
  one: Case,
  how: How,
  attainment: number,
): Promise<void> {
  for (let next = search(bench.results, one, how, attainment); next.kind === 'needs'; ) {
    await bench.point({ ...one, how, load: next.load, seed: next.seed })
    next = search(bench.results, one, how, attainment)
  }
}

/** The same from kept results; null when some are missing. */
export function maxRateOf(
  results: Results,
  one: Case,
  how: How,
  attainment: number,
): number | null {
  const found = search(results, one, how, attainment)
  return found.kind === 'found' ? found.load : null
}

type Found =
  | { readonly kind: 'found'; readonly load: number }
  | { readonly kind: 'needs'; readonly load: number; readonly seed: number }

function search(results: Results, one: Case, how: How, attainment: number): Found {
  const found = between(0, stepsMax + 1)
  const isMore = found.kind === 'found' && found.steps === stepsMax
  const last = isMore ? between(stepsMax, moreStepsMax + 1) : found
  return last.kind === 'found' ? { kind: 'found', load: last.steps * stepRatio } : last

  function between(least: number, most: number) {
    let holds = least
    let fails = most
    while (fails - holds > 1) {
      const middle = Math.floor((holds + fails) / 2)
      const load = middle * stepRatio
      const kept = keeps(results, { ...one, how, load }, attainment)
      if (typeof kept === 'number') return { kind: 'needs', load, seed: kept } as const
      if (kept) holds = middle
      else fails = middle
    }
    return { kind: 'found', steps: holds } as const
  }
}

/** Whether the load is met on average of all seeds, or the seed that has to be run to know it. */
function keeps(
  results: Results,
  one: Case & { readonly how: How; readonly load: number },
  attainment: number,
): boolean | number {
  let sum = 0
  for (const [index, seed] of seeds.entries()) {
    const figures = results.get<Figures>(one.policy, keyOf({ ...one, seed }))
    if (figures === undefined) return seed
    sum += figures.attainment
    // All the others at 100 % would not lift the mean any more.
    if (sum + (seeds.length - 1 - index) < attainment * seeds.length) return false
  }
  return true
}
