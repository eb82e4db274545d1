/** What holds for plans of small fleets, where a solver has the last word, beside those of a search. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { priorities } from '#core/deployment.ts'
import { createExactPlanner, planSolverLimits } from '#placement/exact/exact-planner.ts'
import type { PlacedReplica } from '#placement/inventory.ts'
import type { Plan, PlanInput } from '#placement/plan.ts'
import { applyPlan } from '#placement/planner/apply-plan.ts'
import { createPlanner } from '#placement/planner/planner.ts'
import { loadLinearSolver } from '#std/linear-solver.ts'
import { evenFit } from '#testing/placement-input.ts'
import { anyFleet, fleetText } from '#testing/random-fleet.ts'

/** FLEETS=10000 looks longer; FLEET_SEED repeats a run that failed. */
const fleets = Number(process.env['FLEETS'] ?? 100)
const seed = Number(process.env['FLEET_SEED'] ?? 20_261_128)

const search = createPlanner(evenFit)
const solve = await loadLinearSolver(planSolverLimits)
const exact = createExactPlanner(evenFit, solve)

test('exact plans keep the promises of plans, and nobody goes without for them', {
  timeout: 600_000,
}, () => {
  let proven = 0
  const outcome = fc.check(
    fc.property(anyFleet(search), (input) => {
      const made = exact(input)
      if (made.optimizer.name === 'exact') proven += 1
      memoryIsNeverPromisedTwice(input, made)
      expect(compareUnmet(unmetOf(input, made), unmetOf(input, search(input)))).toBeLessThanOrEqual(
        0,
      )
      const applied = { ...input, inventory: applyPlan(input.inventory, made) }
      expect(exact(applied).steps).toEqual([])
      expect(exact(input).id).toBe(made.id)
    }),
    { seed, numRuns: fleets },
  )
  const [fleet] = outcome.counterexample ?? []
  const again = `FLEET_SEED=${seed} FLEETS=${fleets} npx vitest run tests/exact-planner.test.ts`
  const shown = fleet === undefined ? '' : `\n${fleetText(fleet)}\n${outcome.errorInstance}`
  expect(outcome.failed, `${again}${shown}`).toBe(false)
  expect(proven).toBeGreaterThan(fleets / 4)
})

test('a plan that nobody has proven to be the best does not say that it is', () => {
  const some = fc.sample(anyFleet(search), { seed, numRuns: 20 })
  const input = some.find((fleet) => exact(fleet).optimizer.name === 'exact') as PlanInput
  const unproven = createExactPlanner(evenFit, (text) => {
    const solution = solve(text)
    return solution === null ? null : { ...solution, kind: 'feasible', gapRatio: Infinity }
  })
  expect(exact(input).optimizer).toEqual({ name: 'exact', gapRatio: 0 })
  const { optimizer, steps } = unproven(input)
  expect(optimizer.gapRatio).toBeNull()
  if (optimizer.name === 'greedy') expect(steps).toEqual(search(input).steps)
})

test('what is proven to be the most is not asked again in the passes after it', () => {
  let solved = 0
  const counting = createExactPlanner(evenFit, (text, gapRatio) => {
    solved += 1
    return solve(text, gapRatio)
  })
  const proven = fc.sample(anyFleet(search), { seed, numRuns: 40 }).filter((input) => {
    solved = 0
    const { optimizer, steps } = counting(input)
    if (optimizer.gapRatio !== 0 || steps.length === 0) return false
    // How many have no place, and then in how few seconds.
    expect(solved).toBeLessThanOrEqual(2)
    return true
  })
  expect(proven.length).toBeGreaterThan(5)
})

test('a fleet in which nothing has happened is planned again without the solver', () => {
  let solved = 0
  const counting = createExactPlanner(evenFit, (text, gapRatio) => {
    solved += 1
    return solve(text, gapRatio)
  })
  const asking = fc.sample(anyFleet(search), { seed, numRuns: 10 }).filter((input) => {
    solved = 0
    const { id } = counting(input)
    const first = solved
    expect(counting(input).id).toBe(id)
    expect(solved).toBe(first)
    return first > 0
  })
  expect(asking.length).toBeGreaterThan(3)
})

/** Step by step: whatever starts finds room on its devices beside everything that is there then. */
function memoryIsNeverPromisedTwice({ inventory }: PlanInput, made: Plan): void {
  const nodes = new Map(inventory.nodes.map((node) => [node.id, node]))
  let there: readonly PlacedReplica[] = inventory.replicas
  for (const step of made.steps) {
    there = applyPlan({ ...inventory, replicas: there }, { ...made, steps: [step] }).replicas
    if (step.kind === 'stop') continue
    const { node, devices } = step.replica.setting
    for (const { id, device, foreignBytes } of nodes.get(node)?.devices ?? []) {
      if (!devices.includes(id)) continue
      const claimed = there
        .filter((one) => one.node === node)
        .reduce((sum, one) => sum + (one.claimedBytes[id] ?? 0), 0)
      expect(claimed + foreignBytes).toBeLessThanOrEqual(device.memoryBytes ?? 0)
    }
  }
}

/** Replicas without a place, the highest priority first. */
function unmetOf({ deployments }: PlanInput, { unplaced }: Plan): number[] {
  return priorities.toReversed().map((priority) =>
    unplaced.reduce((sum, { deployment, missing }) => {
      const isOfIt = deployments.find(({ name }) => name === deployment)?.priority === priority
      return sum + (isOfIt ? missing : 0)
    }, 0),
  )
}

function compareUnmet(one: readonly number[], other: readonly number[]): number {
  const at = one.findIndex((count, index) => count !== other[index])
  return at === -1 ? 0 : (one[at] ?? 0) - (other[at] ?? 0)
}
