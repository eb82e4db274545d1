/** What the replicas of a plan cost in seconds, as the search and the solver count them. */
import type { FitReplica } from '#placement/fit.ts'
import type { Plan, PlanInput } from '#placement/plan.ts'
import { applyPlan } from '#placement/planner/apply-plan.ts'
import { problemOf } from '#placement/planner/problem.ts'
import { neighbourSeconds, sameNodeSeconds } from '#placement/planner/ranks/company.ts'
import type { Setup } from '#placement/planner/setup.ts'

export function planSeconds(input: PlanInput, plan: Plan, fitReplica: FitReplica): number {
  const problem = problemOf(input, fitReplica)
  const { replicas } = applyPlan(input.inventory, plan)
  const residents = new Map<string, number>()
  const siblings = new Map<string, number>()
  let seconds = 0
  for (const replica of replicas) {
    for (const device of replica.devices) count(residents, `${replica.node} ${device}`)
    count(siblings, `${replica.node} ${replica.deployment}`)
    const wish = problem.wishes.find(({ deployment }) => deployment.name === replica.deployment)
    const site = problem.sites.byNode.get(replica.node)
    if (wish === undefined || site === undefined) continue
    const matches = ({ locals, variantIndex, engineIndex, backend }: Setup) =>
      locals.map((local) => site.node.devices[local]!.id).join() === replica.devices.join() &&
      wish.deployment.variants[variantIndex]!.source === replica.source &&
      input.engines[engineIndex]!.id === replica.engine &&
      backend === replica.backend
    const setup = problem.setupsFor(wish, site.machineClass).possible.find(matches)
    const open = problem.sitesFor(wish, site.machineClass).find((one) => one.site === site)
    if (setup === undefined || open === undefined) continue
    const rung = setup.ladder.all.find(
      ({ fit: { setting } }) =>
        setting.contextTokens === replica.contextTokens &&
        setting.memoryFraction === replica.memoryFraction,
    )
    seconds += setup.seconds + open.seconds[setup.variantIndex]! + (rung?.shrunkSeconds ?? 0)
  }
  for (const here of residents.values()) seconds += (here - 1) * neighbourSeconds
  for (const here of siblings.values()) seconds += (here - 1) * sameNodeSeconds
  return seconds
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
