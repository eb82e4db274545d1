import {
  type Equation,
  timeOf,
  unknowns,
  unknownsCount,
} from '#simulator/log-speed/answer-equations.ts'
import { stepSizes } from '#simulator/log-speed/step-sizes.ts'
import { NonNegativeLeastSquares } from '#std/non-negative-least-squares.ts'
import { quantile } from '#std/quantile.ts'

export interface Solved {
  /** The value of each of the unknowns. */
  readonly solution: Float64Array
  /** Half of the equations hold within this part of their time. */
  readonly errorRatio: number
}

/** Shorter times are those of the network and of a clock of whole milliseconds. */
const msMin = 3

/** Each round takes less notice of what the one before could not explain; few are enough. */
const rounds = 6

/** Off by this much, a time is still as good as any. */
const usualErrorMin = 0.02

/**
 * The unknowns that make the equations hold best, each by its error as a part of its time. One that
 * is far off, as after a prompt that waited for reasons nobody logs, pulls no more than others.
 */
export function solveEquations(equations: readonly Equation[]): Solved {
  const used = equations.filter(({ ms, features }) => ms >= msMin && (features[0] as number) > 0)
  const stepMs = median(used.map(({ ms, features }) => ms / (features[0] as number)))
  let solution: Float64Array = new Float64Array(unknownsCount)
  let expected = used.map(({ ms }) => ms)
  let errors = used.map(() => 0)
  for (let round = 0; round < rounds && used.length > 0; round++) {
    const squares = new NonNegativeLeastSquares(unknownsCount)
    const usual = 2 * Math.max(usualErrorMin, median(errors))
    for (const [at, { features, ms }] of used.entries()) {
      const trust = Math.min(1, usual / (errors[at] as number))
      squares.add(features, ms, trust / (expected[at] as number) ** 2)
    }
    addSuppositions(squares, stepMs)
    solution = squares.solve()
    expected = used.map(({ features }) => Math.max(msMin, timeOf(features, solution)))
    errors = used.map(({ ms }, at) => Math.abs(ms / (expected[at] as number) - 1))
  }
  return { solution, errorRatio: median(errors) }
}

const median = (values: readonly number[]) => quantile(Float64Array.from(values).sort(), 0.5) ?? 0

/**
 * A bend by the time of a step weighs as much as so many equations that are off by all of theirs:
 * with less, what was never seen is anything; with more, what was seen is bent, too.
 */
const straightWeight = 5

/** Next to nothing: it decides only where no equation does. */
const guessWeight = 1e-7

/** How many tokens of a prompt take as long as one of an answer: CPUs 5 to 10, GPUs 50 and more. */
export const promptTokensPerOutputToken = 20

/** Where no step of a size was seen, it lies on a line with its neighbours. */
function addSuppositions(squares: NonNegativeLeastSquares, stepMs: number): void {
  const weight = 1 / Math.max(Number.MIN_VALUE, stepMs ** 2)
  const row = new Float64Array(unknownsCount)
  for (let at = 1; at + 1 < stepSizes.length; at++) {
    const lengthOf = (of: number) => (stepSizes[of] as number) - (stepSizes[of - 1] as number)
    row.fill(0)
    row[at] = 1
    row[at + 1] = -lengthOf(at) / lengthOf(at + 1)
    squares.add(row, 0, straightWeight * weight)
  }
  // The guess: a prompt of 512 tokens, by the time of the smallest step.
  row.fill(0)
  for (const [at, size] of stepSizes.entries()) if (size <= 512) row[at] = 1
  row[0] = -512 / promptTokensPerOutputToken
  squares.add(row, 0, guessWeight * weight)
  row.fill(0)
  row[unknowns.pairs] = 512 ** 2
  squares.add(row, 0, guessWeight * weight)
}
