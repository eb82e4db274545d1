/** HiGHS, compiled to WebAssembly, as the solver that exact plans ask for. */
import highsModule from 'highs'
import type { LinearSolution, SolveLinearProgram } from '#placement/exact/linear-program.ts'

/** Its declarations describe the CommonJS module; as an ES module the function is the default itself. */
const loadHighs = highsModule as unknown as typeof highsModule.default

type Solution = ReturnType<Awaited<ReturnType<typeof loadHighs>>['solve']>

/** A plan is worth waiting a second for; what is not proven by then is as good as what a search finds. */
const timeLimitSecondsUsual = 1

/** A tenth of a thousandth of the objective: less than any rank is accurate to. */
const gapRatioEnough = 1e-4

export async function loadExactSolver(
  timeLimitSeconds = timeLimitSecondsUsual,
): Promise<SolveLinearProgram> {
  const highs = await loadHighs()
  return (lpText) => {
    try {
      const solution = highs.solve(lpText, {
        output_flag: false,
        time_limit: timeLimitSeconds,
        mip_rel_gap: gapRatioEnough,
        // One thread and one seed: the same program has the same answer.
        threads: 1,
        random_seed: 0,
      })
      return readSolution(solution)
    } catch {
      // It throws whatever its own code threw: out of memory, or a program that it cannot read.
      // The plan that the search found stands without it.
      return null
    }
  }
}

function readSolution(solution: Solution): LinearSolution | null {
  const isOptimal = solution.Status === 'Optimal'
  if (!isOptimal && solution.Status !== 'Time limit reached') return null
  const values = new Map<string, number>()
  for (const [name, column] of Object.entries(solution.Columns)) {
    if (!('Primal' in column) || !Number.isFinite(column.Primal)) return null
    values.set(name, column.Primal)
  }
  return { kind: isOptimal ? 'optimal' : 'feasible', values, gapRatio: isOptimal ? 0 : Infinity }
}
