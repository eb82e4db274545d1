import type { LinearSolution, SolveLinearProgram } from '#std/linear-program.ts'

/**
 * Both questions of two passes, and of what was planned before. A question is up to some hundred
 * kilobytes of text.
 */
const rememberedMax = 4

/**
 * A solver that is asked the same as lately answers the same, proven or not: it has no clock and no
 * chance. A fleet in which nothing happens is planned every few minutes all the same, and what cannot
 * be proven costs all the work that a solver may do, each time.
 */
export function rememberedSolve(solve: SolveLinearProgram): SolveLinearProgram {
  const known = new Map<string, LinearSolution | null>()
  return (lpText, gapRatio) => {
    const question = `${gapRatio} ${lpText}`
    let solution = known.get(question)
    if (solution === undefined) solution = solve(lpText, gapRatio)
    else known.delete(question)
    known.set(question, solution)
    for (const oldest of known.keys()) {
      if (known.size <= rememberedMax) break
      known.delete(oldest)
    }
    return solution
  }
}
