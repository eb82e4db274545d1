import type { NodeCheck } from '#placement/planner/checks/check.ts'

/** A deployment that names nodes runs on those alone. */
export const nodeNames: NodeCheck = {
  name: 'nodes',
  onRunning: () => 'moves',
  refuse(deployment, node) {
    const { nodes } = deployment.constraints
    if (nodes === null || nodes.includes(node.name) || nodes.includes(node.id)) return null
    return {
      check: 'nodes',
      what: `${deployment.name} may only be on ${nodes.join(', ')}`,
      unlockedBy: `constraints.nodes with ${node.name}`,
    }
  },
}
