import {
  type BoundEndpoint,
  type Demand,
  fluidProgram,
  type LatencyTarget,
} from '#simulator/bound/fluid-program.ts'
import { bucketsOf, type RequestSize } from '#simulator/bound/request-bucket.ts'
import { servesModel } from '#simulator/serves-model.ts'
import { loadLinearSolver } from '#std/linear-solver.ts'

/** Six lengths of prompt by four of answer: finer ones change the bound by less than a percent. */
const sixths = [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6]
/** Where some may be left out it is the longest few, and these have parts of their own. */
const longest = [0.9, 0.96, 0.99]
const quarters = [1 / 4, 2 / 4, 3 / 4]

/** Far more than it takes, so that a solver that goes astray does not hang a run. */
const iterationsMax = 1_000_000

/** Seen where a trace has a few requests of a dozen tokens: steps and rates are then too far apart. */
export class NoBoundError extends Error {
  constructor() {
    super('the solver found no bound of what is possible')
  }
}

/**
 * Requests per second of a mix of which no policy can serve a larger part than `attainment` within
 * the targets; all of them, unless something else is said. Without a prefix cache: where prompts
 * share beginnings, give the sizes that are left with all of them known, or it is no bound.
 */
export async function fluidBound(
  endpoints: readonly BoundEndpoint[],
  requests: readonly RequestSize[],
  target: LatencyTarget,
  attainment = 1,
): Promise<number> {
  return optimum(endpoints, requests, target, { kind: 'highest-rate', attainment })
}

/** The part of a mix that comes at such a rate which can be served within the targets at most. */
export async function attainmentBound(
  endpoints: readonly BoundEndpoint[],
  requests: readonly RequestSize[],
  target: LatencyTarget,
  ratePerSecond: number,
): Promise<number> {
  const demand = { kind: 'most-served', ratePerSecond } as const
  return Math.min(1, (await optimum(endpoints, requests, target, demand)) / ratePerSecond)
}

async function optimum(
  endpoints: readonly BoundEndpoint[],
  requests: readonly RequestSize[],
  target: LatencyTarget,
  demand: Demand,
): Promise<number> {
  const isWhole = demand.kind === 'highest-rate' && demand.attainment === 1
  const promptCuts = isWhole ? sixths : [...sixths, ...longest]
  const buckets = groupsOf(requests, endpoints).flatMap((group) =>
    bucketsOf(group, promptCuts, quarters, requests.length),
  )
  const solve = await loadLinearSolver({ iterationsMax: () => iterationsMax, gapRatio: 0 })
  const solution = solve(fluidProgram(endpoints, buckets, target, demand))
  if (solution?.kind === 'optimal') return solution.objective
  throw new NoBoundError()
}

/** Models that the same endpoints serve compete for all that these have: to the bound they are one. */
function groupsOf(
  requests: readonly RequestSize[],
  endpoints: readonly BoundEndpoint[],
): readonly (readonly RequestSize[])[] {
  const byModel = Map.groupBy(requests, ({ model }) => model ?? null)
  const alike = Map.groupBy(byModel, ([model]) =>
    endpoints.map((endpoint) => Number(servesModel(endpoint, model))).join(''),
  )
  return [...alike.values()].map((models) => models.flatMap(([, of]) => of))
}
