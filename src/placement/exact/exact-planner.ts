/**
 * Plans with a solver behind the same contract as the search: for fleets that are small enough, the
 * best plan there is. The search runs first, because what it finds is the answer wherever the solver
 * has none, or none that can be carried out without stopping somebody first.
 */

import { type PlacementProgram, placementProgram } from '#placement/exact/placement-program.ts'
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
 * of 3 to 12 nodes 97 are proven by then, and the others are within 0.2 %. A tenth of a thousandth
 * of the objective is less than any rank is accurate to.
 */
export const planSolverLimits: SolverLimits = { iterationsMax: 1_000, gapRatio: 1e-4 }

/** Beyond, proving takes more work than a plan is worth: see {@link planSolverLimits}. */
const nodesMax = 12
const columnsMax = 6_000

/** Seconds of a plan stay far below, so that no number of them is worth moving somebody. */
const movedSeconds = 1e4

export function createExactPlanner(fitReplica: FitReplica, solve: SolveLinearProgram): Planner {
  const remembered = rememberedFit(fitReplica)
  const arrangeHere: Arrange = (problem) => arrangeExactly(problem, solve)
  return (input) => planWith(input, fitReplica, remembered, arrangeHere)
}

function arrangeExactly(problem: Problem, solve: SolveLinearProgram): ReturnType<Arrange> {
  const found = arrangeBySearch(problem)
  const { frozen, reserve } = problem.input
  // Whatever runs stays when frozen, and a reserve is no matter of rows.
  if (problem.sites.sites.length > nodesMax || frozen || reserve !== 'none') return found
  const exact = solveProgram(problem, found.search.worth(), solve)
  if (exact === null) return found
  const { search, gapRatio } = exact
  // A solver knows nothing of the order of steps: what cannot be carried out is no plan.
  if (compareWorth(search.worth(), found.search.worth()) < 0) {
    return canBeCarriedOut(search) ? { search, optimizer: { name: 'exact', gapRatio } } : found
  }
  // The search's own is as good; that there is no better one only a proof says.
  return gapRatio === 0 ? { ...found, optimizer: { name: 'exact', gapRatio } } : found
}

/** The best arrangement as far as the solver got; null when it has nothing to say. `gapRatio` null: unknown. */
function solveProgram(
  problem: Problem,
  known: Worth,
  solve: SolveLinearProgram,
): { readonly search: Search; readonly gapRatio: number | null } | null {
  const search = new Search(problem)
  const program = placementProgram(search, columnsMax)
  if (program === null) return null
  const { variables, rows } = program
  let unmet = known.unmet
  let isLeast = true
  if (known.unmet.some((count) => count > 0)) {
    const objective = unmetByPriority(problem, program)
    const first = solve(linearProgramText({ objective, rows, variables }))
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
  return { search, gapRatio: isLeast && Number.isFinite(gapRatio) ? gapRatio : null }
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
