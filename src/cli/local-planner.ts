/**
 * The planner with all that this program knows of engines and devices: pure, and the same everywhere.
 * Importing this loads the solver, which takes some 50 ms; programs that must answer meanwhile have
 * it on a thread of its own (`planner-thread.ts`).
 */
import { speedReferences } from '#hardware/speed-references.ts'
import { createExactPlanner, planSolverLimits } from '#placement/exact/exact-planner.ts'
import { createFitReplica } from '#placement/fit-replica.ts'
import type { Planner } from '#placement/plan.ts'
import { createPlanner } from '#placement/planner/planner.ts'
import { loadLinearSolver } from '#std/linear-solver.ts'

export const fitLocally = createFitReplica(speedReferences)

/** The best plan where the fleet is small enough to prove it, and a good one elsewhere. */
export const planLocally: Planner = createExactPlanner(
  fitLocally,
  await loadLinearSolver(planSolverLimits),
)

/** For many plans at once, as one for the loss of each node: within half a percent, and at once. */
export const searchLocally: Planner = createPlanner(fitLocally)
