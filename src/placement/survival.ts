/** What the loss of each node would mean: what moves where, and what could not be served. Pure. */
import type { Plan, PlanInput, Planner, Unplaced } from '#placement/plan.ts'
import { applyPlan } from '#placement/planner/apply-plan.ts'
import { withoutNode } from '#placement/what-if.ts'

export interface NodeLoss {
  readonly node: string
  readonly name: string
  /** Deployments that have replicas there, once for each. */
  readonly loses: readonly string[]
  /** Replicas there that somebody started by hand: no plan moves them. */
  readonly losesByHand: readonly string[]
  readonly moves: readonly { readonly deployment: string; readonly to: string }[]
  /** Beyond what has no place as it is. */
  readonly unplaced: readonly Unplaced[]
  /** Replicas elsewhere that would have to give way. */
  readonly evicts: readonly string[]
}

/** For every node, once all that is planned now is done. */
export function nodeLosses(input: PlanInput, plan: Plan, planner: Planner): NodeLoss[] {
  const settled: PlanInput = {
    ...input,
    inventory: applyPlan(input.inventory, plan),
    reserve: 'none',
  }
  const nameOf = new Map(input.inventory.nodes.map(({ id, name }) => [id, name]))
  const missingBefore = new Map(
    plan.unplaced.map(({ deployment, missing }) => [deployment, missing]),
  )
  return input.inventory.nodes
    .filter(({ presence }) => presence !== 'lost')
    .map(({ id, name }) => {
      const lost = withoutNode(settled.inventory, id) ?? settled.inventory
      const after = planner({ ...settled, inventory: lost })
      const gone = settled.inventory.replicas.filter(
        ({ node, deployment }) => node === id && deployment !== null,
      )
      const goneIds = new Set(gone.map((replica) => replica.id))
      return {
        node: id,
        name,
        losesByHand: [
          ...new Set([
            ...settled.inventory.replicas
              .filter((replica) => replica.node === id && replica.deployment === null)
              .map((replica) => replica.id),
            ...(settled.inventory.starting ?? [])
              .filter(({ node }) => node === id)
              .map((one) => one.id),
          ]),
        ],
        loses: gone.map(({ deployment }) => deployment ?? ''),
        moves: after.steps.flatMap((step) =>
          step.kind === 'start'
            ? [
                {
                  deployment: step.replica.deployment,
                  to: nameOf.get(step.replica.setting.node) ?? step.replica.setting.node,
                },
              ]
            : [],
        ),
        unplaced: after.unplaced.flatMap((one) => {
          const missing = one.missing - (missingBefore.get(one.deployment) ?? 0)
          return missing > 0 ? [{ ...one, missing }] : []
        }),
        evicts: after.steps.flatMap((step) =>
          step.kind === 'stop' && !goneIds.has(step.replica.id) ? [step.replica.id] : [],
        ),
      }
    })
}
