/** What a node has against a deployment, as far as it tells something: for those who ask why it has no place. */
import type { Deployment } from '#core/deployment.ts'
import type { Blocker } from '#placement/fit.ts'
import type { PlacementNode } from '#placement/inventory.ts'
import { draining } from '#placement/planner/checks/draining.ts'
import { nodeChecks } from '#placement/planner/checks/index.ts'
import { presence } from '#placement/planner/checks/presence.ts'

const passing = new Set([presence.name, draining.name])

/** That a node is silent or drained is nothing to a deployment that may never be there. */
export function nodeRefusals(deployment: Deployment, node: PlacementNode): readonly Blocker[] {
  const all = nodeChecks.flatMap((check) => check.refuse(deployment, node) ?? [])
  const lasting = all.filter(({ check }) => !passing.has(check))
  return lasting.length > 0 ? lasting : all
}

/** Whether it would help if the node came back. */
export function isOnlySilent(deployment: Deployment, node: PlacementNode): boolean {
  const [first, ...more] = nodeRefusals(deployment, node)
  return first?.check === presence.name && more.length === 0
}
