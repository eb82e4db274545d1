import type { Blocker } from '#placement/fit.ts'
import type { NodeCheck } from '#placement/planner/checks/check.ts'

/** Its agent shows what was recorded of a machine: there is nothing that could be started on. */
export const recording: NodeCheck = {
  name: 'recording',
  onRunning: () => 'stays',
  refuse: (_, node) => (node.isRecording === true ? recordingBlocker(node.name) : null),
}

/** Plans and people who start by hand hear the same. */
export function recordingBlocker(nodeName: string): Blocker {
  return {
    check: 'recording',
    what: `${nodeName} is a recording of a machine, and runs nothing`,
    unlockedBy: '"motley agent" on the machine itself, without --recording',
  }
}
