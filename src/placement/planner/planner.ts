/**
 * Makes plans: greedily first, then by local search, then once more on the fleet as it will be, until
 * there is nothing left to do. So a plan that was carried out leaves nothing to plan.
 */
import type { FitReplica } from '#placement/fit.ts'
import type { Plan, PlanInput, Planner } from '#placement/plan.ts'
import { applyPlan } from '#placement/planner/apply-plan.ts'
import { arrangeGreedily } from '#placement/planner/greedy.ts'
import { improve } from '#placement/planner/local-search.ts'
import type { Effort } from '#placement/planner/make-room.ts'
import { type Outcome, outcomeOf } from '#placement/planner/outcome.ts'
import { type Problem, problemOf } from '#placement/planner/problem.ts'
import { planRecords } from '#placement/planner/records.ts'
import { type RememberedFit, rememberedFit } from '#placement/planner/remembered-fit.ts'
import { Search } from '#placement/planner/search.ts'
import { NoOrderError } from '#placement/planner/steps.ts'
import { textDigest } from '#std/text-digest.ts'

/** Puts units into places; greedy with local search, or exact. */
export type Arrange = (problem: Problem) => {
  readonly search: Search
  readonly optimizer: Plan['optimizer']
}

type Arranged = ReturnType<Arrange> & { readonly outcome: Outcome }

/**
 * A second pass finds what the first made possible; more are rare, and each places more than the one
 * before, so that this bound is never the reason to stop.
 */
const passesMax = 8

export function createPlanner(fitReplica: FitReplica): Planner {
  const remembered = rememberedFit(fitReplica)
  return (input) => planWith(input, fitReplica, remembered, arrangeBySearch)
}

export function planWith(
  input: PlanInput,
  fitReplica: FitReplica,
  remembered: RememberedFit,
  arrange: Arrange,
): Plan {
  const first = arranged(problemOf(input, fitReplica, remembered), arrange)
  let { outcome, search: last } = first
  let plan = planOf(input, outcome, last, first.optimizer)
  for (let pass = 1; pass < passesMax && outcome.steps.length > 0; pass += 1) {
    const applied = { ...input, inventory: applyPlan(input.inventory, plan) }
    const again = arranged(problemOf(applied, fitReplica, remembered), arrange)
    if (again.outcome.steps.length === 0) break
    outcome = joined(outcome, again.outcome, input)
    last = again.search
    plan = planOf(input, outcome, last, first.optimizer)
  }
  return plan
}

/** With its steps in order. Where the best arrangement cannot be reached, nobody is moved for it. */
function arranged(problem: Problem, arrange: Arrange): Arranged {
  const best = arrange(problem)
  try {
    return { ...best, outcome: outcomeOf(best.search) }
  } catch (error) {
    if (!(error instanceof NoOrderError)) throw error
    const inPlace = arrangeInPlace(problem)
    return { ...inPlace, outcome: outcomeOf(inPlace.search) }
  }
}

/** What runs stays, and the others take what is free: each step can be taken at once. */
const arrangeInPlace: Arrange = (problem) => {
  const search = new Search(problem)
  arrangeGreedily(search, { trialsLeft: 0, placesTried: 0 })
  return { search, optimizer: { name: 'greedy', gapRatio: null } }
}

export const arrangeBySearch: Arrange = (problem) => {
  const search = new Search(problem)
  const effort = effortFor(problem)
  arrangeGreedily(search, effort)
  improve(search, effort)
  return { search, optimizer: { name: 'greedy', gapRatio: null } }
}

/**
 * Small fleets are searched until nothing gets better; on large ones a trial costs a look at every
 * node, and their number is what keeps a plan within a second or two.
 */
function effortFor({ sites, units }: Problem): Effort {
  const size = Math.max(1, sites.siteOfDevice.length * units.length)
  return {
    trialsLeft: Math.max(500, Math.min(20_000, Math.floor(2e7 / size))),
    placesTried: sites.sites.length <= 40 ? 12 : 6,
  }
}

function planOf(
  input: PlanInput,
  { replicas, steps, unplaced }: Outcome,
  search: Search,
  optimizer: Plan['optimizer'],
): Plan {
  const said = JSON.stringify([
    replicas.map(({ id, deployment, setting }) => [id, deployment, setting]),
    steps.map(({ step, after, because }) => [step, after, because]),
    unplaced,
    input.reserve,
    input.frozen,
  ])
  const id = `plan-${textDigest(said)}`
  return { id, replicas, steps, unplaced, candidates: planRecords(search), optimizer }
}

/** The steps of one pass after those of the other; kept is what ran before the first. */
function joined(first: Outcome, second: Outcome, { inventory }: PlanInput): Outcome {
  const ran = new Map(inventory.replicas.map((replica) => [replica.id, replica]))
  const before = first.steps.map(({ step }) => step)
  const replicas = second.replicas.map((replica) =>
    replica.keeps === null ? replica : { ...replica, keeps: ran.get(replica.id) ?? null },
  )
  const steps = second.steps.map((step) => ({ ...step, after: [...before, ...step.after] }))
  return { replicas, steps: [...first.steps, ...steps], unplaced: second.unplaced }
}
