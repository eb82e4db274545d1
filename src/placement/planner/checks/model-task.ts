import { taskMismatch } from '#core/model-tasks.ts'
import type { VariantCheck } from '#placement/planner/checks/check.ts'

/** Whether the model is made for what clients will ask, as far as its headers tell. */
export const modelTask: VariantCheck = {
  name: 'model-task',
  onRunning: 'moves',
  refuse({ task, model, variants }, variant) {
    // All are files of one model: what the headers of one tell, holds for the others.
    const mismatch = [variant, ...variants]
      .map(({ facts }) => (facts === null ? null : taskMismatch(facts, task)))
      .find((one) => one !== null)
    if (mismatch === undefined) return null
    const [instead] = mismatch.tasks
    return {
      check: 'model-task',
      code: 'task-mismatch',
      what: `${model} is made for ${mismatch.madeFor}, and ${task} is asked for`,
      unlockedBy: `task: ${instead}, or a model that does ${task}`,
    }
  },
}
