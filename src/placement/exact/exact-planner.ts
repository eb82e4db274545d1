/**
 * Plans with a solver behind the same contract as the search: for fleets that are small enough, the
 * best plan there is. The search runs first, because what it finds is the answer wherever the solver
 * has none, or none that can be carried out without stopping somebody first.
 */

import { type PlacementProgram, placementProgram } from '#placement/exact/placement-program.ts'
import { rememberedSolve } from '#placement/exact/remembered-solve.ts'
import type { FitReplica } from '#placement/fit.ts'
import type { Planner } from '#placement/plan.ts'
import { outcomeOf } from '#placement/planner/outcome.ts'
import { type Arrange, arrangeBySearch, planWith } from '#placement/planner/planner.ts'
import type { Problem } from '#placement/planner/problem.ts'
import { rememberedFit } from '#placement/planner/remembered-fit.ts'
import { Search } from '#placement/planner/search.ts'
import { NoOrderError } from '#placement/planner/steps.ts'
import { compareWorth, type Worth } from '#placement/planner/worth.ts'
import { linearProgramText, type SolveLinearProgram, type Term } from '#std/linear-program.ts'
import type { SolverLimits } from '#std/linear-solver.ts'

/**
 * A thousand iterations are a second or two of computing, which a plan is worth. Of a hundred fleets
 * of 3 to 12 nodes 97 are proven by then, and the others are within 0.2 %. What many share is a larger
 * program, of which an iteration costs as many times more, and which is seldom proven: it has no more
 * work than the others. A tenth of a thousandth of the objective is less than any rank is accurate to.
 */
export const planSolverLimits: SolverLimits = {
  iterationsMax: (programBytes) => Math.min(1_000, Math.floor(workMax / programBytes)),
  gapRatio: 1e-4,
}

/** Iterations times bytes of text: a thousand for the largest program of a fleet in which few share. */
const workMax = 1_000 * 320 * 1_024

/** Beyond, proving takes more work than a plan is worth: see {@link planSolverLimits}. */
const nodesMax = 12
const columnsMax = 6_000

/** Seconds of a plan stay far below, so that no number of them is worth moving somebody. */
const movedSeconds = 1e4

export function createExactPlanner(fitReplica: FitReplica, solve: SolveLinearProgram): Planner {
  const remembered = rememberedFit(fitReplica)
  const solveOnce = rememberedSolve(solve)
  return (input) => {
    // The passes after the first begin with its plan carried out: nobody moves for seconds then, and
    // there can be no more replicas than were proven to be the most.
    let least: readonly number[] | null = null
    const arrangeHere: Arrange = (problem) => {
      const found = arrangeBySearch(problem)
      if (least !== null && isSame(found.search.worth().unmet, least)) return found
      const { isLeast, ...arranged } = arrangeExactly(problem, found, solveOnce)
      if (isLeast) least = arranged.search.worth().unmet
      return arranged
    }
    return planWith(input, fitReplica, remembered, arrangeHere)
  }
}

const isSame = (one: readonly number[], other: readonly number[]): boolean =>
  one.every((count, index) => count === other[index])

/** `isLeast`: that more replicas have no place is proven. */
function arrangeExactly(
  problem: Problem,
  found: ReturnType<Arrange>,
  solve: SolveLinearProgram,
): ReturnType<Arrange> & { readonly isLeast: boolean } {
  const { frozen, reserve } = problem.input
  const asFound = { ...found, isLeast: false }
  // Whatever runs stays when frozen, and a reserve is no matter of rows.
  if (problem.sites.sites.length > nodesMax || frozen || reserve !== 'none') return asFound
  const exact = solveProgram(problem, found.search.worth(), solve)
  if (exact === null) return asFound
  const { search, gapRatio, isLeast } = exact
  // A solver knows nothing of the order of steps: what cannot be carried out is no plan.
  if (compareWorth(search.worth(), found.search.worth()) < 0) {
    if (!canBeCarriedOut(search)) return asFound
    return { search, optimizer: { name: 'exact', gapRatio }, isLeast }
  }
  // The search's own is as good; that there is no better one only a proof says.
  return gapRatio === 0
    ? { ...found, optimizer: { name: 'exact', gapRatio }, isLeast }
    : { ...found, isLeast: isLeast && isSame(found.search.worth().unmet, search.worth().unmet) }
}

/** The best arrangement as far as the solver got; null when it has nothing to say. `gapRatio` null: unknown. */
function solveProgram(
  problem: Problem,
  known: Worth,
  solve: SolveLinearProgram,
): { readonly search: Search; readonly gapRatio: number | null; readonly isLeast: boolean } | null {
  const search = new Search(problem)
  const program = placementProgram(search, columnsMax)
  if (program === null) return null
  const { variables, rows } = program
  let unmet = known.unmet
  let isLeast = true
  if (known.unmet.some((count) => count > 0)) {
    const objective = unmetByPriority(problem, program)
    const first = solve(linearProgramText({ objective, rows, variables }), 0)
    if (first === null) return null
    isLeast = first.kind === 'optimal'
    if (isLeast) unmet = unmetIn(problem, program, first.values)
  }
  const fixed = unmet.flatMap((count, priority) => {
    const terms = problem.wishes
      .filter((wish) => wish.priority === priority && wish.wanted > 0)
      .map((wish) => ({ factor: 1, variable: program.unmet[wish.index]! }))
    return terms.length === 0 ? [] : [{ terms, relation: '<=' as const, bound: count }]
  })
  const stays = [...program.keeps.values()].map((variable) => ({
    factor: -movedSeconds,
    variable,
  }))
  const objective = [...program.seconds, ...stays]
  const second = solve(linearProgramText({ objective, rows: [...rows, ...fixed], variables }))
  if (second === null) return null
  arrange(search, program, second.values)
  const { gapRatio } = second
  return { search, gapRatio: isLeast && Number.isFinite(gapRatio) ? gapRatio : null, isLeast }
}

/** One of a priority outweighs all of the priorities below it. */
function unmetByPriority(problem: Problem, { unmet }: PlacementProgram): Term[] {
  const weights: number[] = []
  let below = 1
  for (let priority = 0; priority < 4; priority += 1) {
    weights.push(below)
    const count = problem.units.filter(({ wish }) => wish.priority === priority).length
    below *= count + 1
  }
  return problem.wishes.map((wish) => ({
    factor: weights[wish.priority]!,
    variable: unmet[wish.index]!,
  }))
}

function unmetIn(
  problem: Problem,
  { unmet }: PlacementProgram,
  values: ReadonlyMap<string, number>,
): number[] {
  const counts = [0, 0, 0, 0]
  for (const wish of problem.wishes) {
    counts[wish.priority]! += Math.round(values.get(unmet[wish.index]!) ?? 0)
  }
  return counts
}

function arrange(
  search: Search,
  { columns, keeps, predecessors }: PlacementProgram,
  values: ReadonlyMap<string, number>,
): void {
  const isSet = (name: string | undefined) => name !== undefined && (values.get(name) ?? 0) > 0.5
  const { units } = search.problem
  for (const unit of units) {
    if (keeps.has(unit.index) && !isSet(keeps.get(unit.index))) search.takeAway(unit)
    if (predecessors.has(unit.index) && !isSet(predecessors.get(unit.index))) {
      search.dismissPredecessor(unit)
    }
  }
  for (const { name, wish, site, setup, rung, seconds } of columns) {
    for (let count = Math.round(values.get(name) ?? 0); count > 0; count -= 1) {
      // Whoever lost its predecessor first, so that every one that goes has a successor.
      const free = units.filter((unit) => unit.wish === wish && search.holding(unit) === null)
      const unit = free.find((one) => one.replaces !== null && search.predecessor(one) === null)
      const next = unit ?? free[0]
      if (next !== undefined) {
        search.put(next, { site, setup, rung, seconds, totalSeconds: seconds })
      }
    }
  }
}

function canBeCarriedOut(search: Search): boolean {
  try {
    outcomeOf(search)
    return true
  } catch (error) {
    if (error instanceof NoOrderError) return false
    throw error
  }
}
