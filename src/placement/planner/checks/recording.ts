import type { NodeCheck } from '#placement/planner/checks/check.ts'

/** Its agent shows what was recorded of a machine: there is nothing that could be started on. */
export const recording: NodeCheck = {
  name: 'recording',
  onRunning: () => 'stays',
  refuse: (_, node) =>
    node.isRecording === true
      ? {
          check: 'recording',
          what: `${node.name} is a recording of a machine, and runs nothing`,
          unlockedBy: '"motley agent" on the machine itself, without --recording',
        }
      : null,
}
