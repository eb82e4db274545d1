/** What engines have in common that only speak. */
import type { Task } from '#core/task.ts'
import type { Engine } from '#engines/engine.ts'
import { torchAlarms } from '#engines/engine-alarms.ts'
import { readyBy200 } from '#engines/engine-health.ts'
import { readModelList } from '#engines/engine-model-list.ts'

const tasks: readonly Task[] = ['speech']

export const speechEngine = {
  health: { path: '/health', read: readyBy200 },
  models: {
    path: '/v1/models',
    read: (answer) => readModelList(answer)?.map((model) => ({ ...model, tasks })) ?? null,
  },
  loadPages: [],
  supportsStreamUsage: false,
  apiPath: '/v1',
  continuation: { kind: 'none', why: 'It speaks a text from its beginning.' },
  alarms: torchAlarms,
  stop: { signal: 'SIGTERM', graceMs: 10_000 },
} as const satisfies Partial<Engine>
