import { compatibilityOf } from '#engines/compatibility/table.ts'
import type { Engine } from '#engines/engine.ts'
import { bareIdentity } from '#engines/engine-identity.ts'
import { readModelList } from '#engines/engine-model-list.ts'

/**
 * Anything that speaks OpenAI's wire: engines without an adapter, and services. The model list is
 * the one page all of them have, so it is also the sign of health.
 */
export const openai: Engine = {
  id: 'openai',
  title: 'OpenAI-compatible',
  ...compatibilityOf('openai'),
  weightsFormats: [],
  tasks: null,
  spread: 'single',
  checksApiKey: true,
  memory: null,
  identify: {
    path: '/v1/models',
    // A list that wants another key is a list all the same.
    read(answer) {
      const itself =
        answer.status === 401 || answer.status === 403 || readModelList(answer) !== null
      return itself ? bareIdentity : null
    },
  },
  health: {
    path: '/v1/models',
    read: (answer) => (readModelList(answer) === null ? 'unhealthy' : 'ready'),
  },
  models: { path: '/v1/models', read: readModelList },
  loadPages: [],
  // Some services answer 400 to a field they do not know.
  supportsStreamUsage: false,
  apiPath: '/v1',
  // LM Studio.
  usualPorts: [1234],
  launch: null,
  continuation: {
    kind: 'none',
    why: 'What stands behind the URL is not known, and some start a new answer instead.',
  },
  knownErrors: [],
  alarms: [],
  stop: { signal: 'SIGTERM', graceMs: 10_000 },
}
