import { blocks } from '#placement/compatibility/finding.ts'
import type { Check } from '#placement/compatibility/question.ts'

/** What requests will ask. */
export const task: Check = {
  name: 'task',
  find({ engine, task: wanted }) {
    const { title, tasks } = engine
    if (wanted === null || tasks === null || tasks.includes(wanted)) return []
    const unlockedBy = `take an engine that does ${wanted}; it serves ${tasks.join(', ')}`
    return [blocks('task-unsupported', `${title} has no ${wanted}`, unlockedBy)]
  },
}
