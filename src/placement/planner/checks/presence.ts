import type { NodeCheck } from '#placement/planner/checks/check.ts'

/** Nothing new goes to a node that is silent; what runs on a lost one is gone. */
export const presence: NodeCheck = {
  name: 'presence',
  onRunning: (_, node) => (node.presence === 'lost' ? 'moves' : 'stays'),
  refuse(_, node) {
    if (node.presence === 'ready') return null
    const what =
      node.presence === 'lost' ? `${node.name} is lost` : `${node.name} has been silent for a while`
    return { check: 'presence', what, unlockedBy: 'its agent coming back' }
  },
}
