import type { WayCheck } from '#placement/planner/checks/check.ts'

/** Whether the engine has a route for what clients will ask. */
export const task: WayCheck = {
  name: 'task',
  onRunning: 'moves',
  refuse: (deployment, { engine }) =>
    engine.tasks === null || engine.tasks.includes(deployment.task)
      ? null
      : {
          check: 'task',
          what: `${engine.id} does not do ${deployment.task}`,
          unlockedBy: null,
        },
}
