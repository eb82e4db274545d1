/** What the loss or the drain of a node would mean: what moves where, and what could not be served. Pure. */
import type { Inventory, PlacementNode } from '#placement/inventory.ts'
import type { Plan, PlanInput, Planner, Unplaced } from '#placement/plan.ts'
import { applyPlan } from '#placement/planner/apply-plan.ts'
import { withDrained, withoutNode } from '#placement/what-if.ts'

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
  const settled = settledInput(input, plan)
  return input.inventory.nodes
    .filter(({ presence }) => presence !== 'lost')
    .map((node) => lossOf(node, { settled, plan, planner, without: withoutNode }))
}

/** The same where a node is drained: what was planned there leaves, and what has no other place ends. */
export function nodeDrain(
  input: PlanInput,
  plan: Plan,
  planner: Planner,
  node: PlacementNode,
): NodeLoss {
  const settled = settledInput(input, plan)
  return lossOf(node, { settled, plan, planner, without: withDrained })
}

function settledInput(input: PlanInput, plan: Plan): PlanInput {
  return { ...input, inventory: applyPlan(input.inventory, plan), reserve: 'none' }
}

interface Question {
  /** With all that is planned now done. */
  readonly settled: PlanInput
  readonly plan: Plan
  readonly planner: Planner
  readonly without: (inventory: Inventory, node: string) => Inventory | null
}

function lossOf(
  { id, name }: PlacementNode,
  { settled, plan, planner, without }: Question,
): NodeLoss {
  const { inventory } = settled
  const after = planner({ ...settled, inventory: without(inventory, id) ?? inventory })
  const nameOf = new Map(inventory.nodes.map((node) => [node.id, node.name]))
  const missingBefore = new Map(
    plan.unplaced.map(({ deployment, missing }) => [deployment, missing]),
  )
  const gone = inventory.replicas.filter(
    ({ node, deployment }) => node === id && deployment !== null,
  )
  const goneIds = new Set(gone.map((replica) => replica.id))
  return {
    node: id,
    name,
    losesByHand: [
      ...new Set([
        ...inventory.replicas
          .filter((replica) => replica.node === id && replica.deployment === null)
          .map((replica) => replica.id),
        ...(inventory.starting ?? []).filter(({ node }) => node === id).map((one) => one.id),
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
}
