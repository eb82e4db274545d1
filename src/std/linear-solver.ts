/**
 * HiGHS, compiled to WebAssembly. It stops by how much it has done and never by the clock: the same
 * program has the same answer on a machine that is slow or busy.
 */
import highsModule, { type Highs, type Model } from 'highs'
import type { LinearSolution, SolveLinearProgram } from '#std/linear-program.ts'

/** Its declarations describe the CommonJS module; as an ES module the function is the default itself. */
const loadHighs = highsModule as unknown as typeof highsModule.default

export interface SolverLimits {
  /**
   * Iterations of the simplex method, over all that it tries, for a program of so many bytes of text; it
   * stops at the next checkpoint.
   */
  readonly iterationsMax: (programBytes: number) => number
  /** From how near the optimum on a solution is good enough to be called optimal. */
  readonly gapRatio: number
}

let loading: Promise<Highs> | null = null

/** The solver blocks the thread while it works. */
export async function loadLinearSolver(limits: SolverLimits): Promise<SolveLinearProgram> {
  loading ??= loadHighs()
  const highs = await loading
  return (lpText, gapRatio = limits.gapRatio) => {
    try {
      return highs.withModel({ format: 'lp', data: lpText }, (model) =>
        solve(highs, model, gapRatio, limits.iterationsMax(lpText.length)),
      )
    } catch {
      // It throws whatever its own code threw: out of memory, or a program that it cannot read.
      return null
    }
  }
}

function solve(highs: Highs, model: Model, gapRatio: number, iterationsMax: number) {
  const { callbackType, modelStatus, solutionStatus } = highs.constants
  // One thread it has anyway, and one seed: there is no chance in it.
  model.options.set({ output_flag: false, mip_rel_gap: gapRatio, random_seed: 0 })
  model.run({
    [callbackType.simplexInterrupt](event) {
      if ((event.data.simplex_iteration_count ?? 0) > iterationsMax) event.interrupt()
      return undefined
    },
    [callbackType.mipInterrupt](event) {
      if ((event.data.mip_total_lp_iterations ?? 0) > iterationsMax) event.interrupt()
      return undefined
    },
  })
  const isOptimal = model.getModelStatus() === modelStatus.optimal
  if (!isOptimal && model.info.get('primal_solution_status') !== solutionStatus.feasible) {
    return null
  }
  return {
    kind: isOptimal ? 'optimal' : 'feasible',
    objective: model.getObjectiveValue(),
    values: valuesOf(model),
    gapRatio: isOptimal ? 0 : Number(model.info.get('mip_gap')),
  } satisfies LinearSolution
}

function valuesOf(model: Model): Map<string, number> {
  const { colValue } = model.getSolution()
  return new Map(Array.from(colValue, (value, column) => [model.getColName(column), value]))
}
