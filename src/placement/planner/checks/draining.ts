import type { NodeCheck } from '#placement/planner/checks/check.ts'

/** Somebody wants the node empty: what runs there leaves, with or without another place. */
export const draining: NodeCheck = {
  name: 'draining',
  onRunning: () => 'leaves',
  refuse: (_, node) =>
    node.draining
      ? {
          check: 'draining',
          what: `${node.name} is being drained`,
          unlockedBy: `motley drain ${node.name} --undo`,
        }
      : null,
}
