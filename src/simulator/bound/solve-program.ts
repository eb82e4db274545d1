import highsModule from 'highs'

/** Its declarations describe the CommonJS module; as an ES module the function is the default itself. */
const loadHighs = highsModule as unknown as typeof highsModule.default

let loading: ReturnType<typeof loadHighs> | null = null

/**
 * The optimum of a linear program in CPLEX's LP format, by HiGHS. Rejects when there is none that
 * is proven within the time. The solver blocks the thread while it works.
 */
export async function solveProgram(text: string, timeLimitSeconds: number): Promise<number> {
  loading ??= loadHighs()
  const highs = await loading
  const solution = highs.solve(text, {
    output_flag: false,
    time_limit: timeLimitSeconds,
    // One thread and one seed: the same program has the same answer.
    threads: 1,
    random_seed: 0,
  })
  if (solution.Status === 'Optimal') return solution.ObjectiveValue
  throw new Error(`The solver found no optimum: ${solution.Status}`)
}
