import {
  type BoundEndpoint,
  fluidProgram,
  type LatencyTarget,
} from '#simulator/bound/fluid-program.ts'
import { bucketsOf, type RequestSize } from '#simulator/bound/request-bucket.ts'
import { loadLinearSolver } from '#std/linear-solver.ts'

/** Six lengths of prompt by four of answer: finer ones change the bound by less than a percent. */
const promptParts = 6
const outputParts = 4

/** Far more than it takes, so that a solver that goes astray does not hang a run. */
const iterationsMax = 1_000_000

/**
 * Requests per second of a mix that no policy can exceed on a fleet within the targets. Without a
 * prefix cache: where prompts share beginnings, give the sizes that are left with all of them known,
 * or it is no bound.
 */
export async function fluidBound(
  endpoints: readonly BoundEndpoint[],
  requests: readonly RequestSize[],
  target: LatencyTarget,
): Promise<number> {
  const buckets = bucketsOf(requests, promptParts, outputParts)
  return optimumOf(fluidProgram(endpoints, buckets, target))
}

/**
 * The part of a mix that comes at such a rate which can be served within the targets at most, the
 * requests that cost most being refused.
 */
export async function attainmentBound(
  endpoints: readonly BoundEndpoint[],
  requests: readonly RequestSize[],
  target: LatencyTarget,
  ratePerSecond: number,
): Promise<number> {
  const buckets = bucketsOf(requests, promptParts, outputParts)
  const program = fluidProgram(endpoints, buckets, target, ratePerSecond)
  return Math.min(1, (await optimumOf(program)) / ratePerSecond)
}

async function optimumOf(program: string): Promise<number> {
  const solve = await loadLinearSolver({ iterationsMax, gapRatio: 0 })
  const solution = solve(program)
  if (solution?.kind === 'optimal') return solution.objective
  throw new Error('The solver found no optimum of the bound')
}
