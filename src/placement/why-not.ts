/** Why a deployment is not on a node: what stands against it there, or what is better elsewhere. Pure. */
import type { Blocker } from '#placement/fit.ts'
import type { CandidateRecord, Plan, PlanInput, Planner } from '#placement/plan.ts'
import { applyPlan } from '#placement/planner/apply-plan.ts'

export interface WhyNot {
  /** `there`: it is, or is planned to be. `possible`: it could. `refused`: something is against it. */
  readonly verdict: 'there' | 'possible' | 'refused'
  readonly blockers: readonly Blocker[]
  /** As it would be there, beside what is planned there already. */
  readonly here: CandidateRecord | null
  /** Where it is planned to be. */
  readonly chosen: readonly CandidateRecord[]
}

/** `node` is an id. Others keep what the plan gives them there. */
export function whyNot(
  input: PlanInput,
  plan: Plan,
  planner: Planner,
  of: { readonly deployment: string; readonly node: string },
): WhyNot {
  const chosen = plan.candidates.filter(
    ({ deployment, verdict }) => deployment === of.deployment && verdict === 'chosen',
  )
  const there = plan.replicas.some(
    ({ deployment, setting }) => deployment === of.deployment && setting.node === of.node,
  )
  if (there) {
    const here = chosen.find(({ node }) => node === of.node) ?? null
    return { verdict: 'there', blockers: [], here, chosen }
  }
  const alone = planner(onlyThere(input, plan, of))
  const here = alone.candidates.find(
    ({ deployment, verdict }) => deployment === of.deployment && verdict === 'chosen',
  )
  if (here !== undefined) return { verdict: 'possible', blockers: [], here, chosen }
  const blockers = alone.unplaced.flatMap(({ deployment, because }) =>
    deployment === of.deployment ? because : [],
  )
  return { verdict: 'refused', blockers, here: null, chosen }
}

/** The node as it will be, and nothing that wants a place there but the deployment. */
function onlyThere(
  input: PlanInput,
  plan: Plan,
  of: { readonly deployment: string; readonly node: string },
): PlanInput {
  const after = applyPlan(input.inventory, plan)
  const replicas = after.replicas.filter(
    ({ node, deployment }) => node === of.node && deployment !== of.deployment,
  )
  const wanted = (name: string): number =>
    name === of.deployment ? 1 : replicas.filter(({ deployment }) => deployment === name).length
  return {
    ...input,
    inventory: { ...after, nodes: after.nodes.filter(({ id }) => id === of.node), replicas },
    wantedReplicas: Object.fromEntries(input.deployments.map(({ name }) => [name, wanted(name)])),
    reserve: 'none',
  }
}
