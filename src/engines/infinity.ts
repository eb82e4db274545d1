import { z } from 'zod'
import type { EngineFacts } from '#core/engine-facts.ts'
import type { Task } from '#core/task.ts'
import { compatibilityOf } from '#engines/compatibility/table.ts'
import type { Engine, EngineModel } from '#engines/engine.ts'
import { torchAlarms } from '#engines/engine-alarms.ts'
import { containerPlan, listenHost, nvidiaEnvironment } from '#engines/engine-container.ts'
import { deviceEnvironment, offlineEnvironment } from '#engines/engine-device-environment.ts'
import { sumOfCounts } from '#engines/engine-fields.ts'
import { readyBy200 } from '#engines/engine-health.ts'
import { identifiedBy } from '#engines/engine-identity.ts'
import { torchErrors } from '#engines/engine-known-errors.ts'
import { type CheckedRequest, checkedLaunch, type LaunchPlan } from '#engines/engine-launch.ts'
import { torchProcessBytes } from '#engines/engine-process-memory.ts'
import { parseJson } from '#std/parse-json.ts'

const healthPage = z.object({ unix: z.number() })
const modelsPage = z.object({ data: z.array(z.unknown()) })
const model = z.object({
  id: z.string().min(1).max(1_000),
  capabilities: z.array(z.string()).catch([]),
  stats: z.object({ queue_absolute: z.number() }),
})

const taskOf: Readonly<Record<string, Task>> = { embed: 'embedding', rerank: 'rerank' }

const facts = {
  id: 'infinity',
  title: 'Infinity',
  ...compatibilityOf('infinity'),
  weightsFormats: ['safetensors'],
  tasks: ['embedding', 'rerank'],
  spread: 'single',
  checksApiKey: true,
  memory: {
    kind: 'weights-only',
    weightsFactor: 1,
    // 32 texts at a time, which are 512 tokens long in the worst usual case.
    batchTokens: 16_384,
    processBytes: torchProcessBytes,
    slotsUsual: 32,
  },
} satisfies EngineFacts

/** Infinity: embeddings and reranking on PyTorch. Its API has no `/v1` unless it is started with one. */
export const infinity: Engine = {
  ...facts,
  identify: { path: '/health', read: identifiedBy(healthPage) },
  health: { path: '/health', read: readyBy200 },
  models: {
    path: '/v1/models',
    read(answer) {
      const page = modelsPage.safeParse(parseJson(answer.body))
      if (answer.status !== 200 || !page.success) return null
      const models = new Map<string, EngineModel>()
      for (const { id, capabilities } of readEntries(page.data.data)) {
        const tasks = capabilities.flatMap((name) =>
          Object.hasOwn(taskOf, name) ? [taskOf[name] as Task] : [],
        )
        models.set(id, { servedName: id, contextTokens: null, tasks })
      }
      return [...models.values()]
    },
  },
  loadPages: [
    {
      path: '/v1/models',
      read(answer) {
        const page = modelsPage.safeParse(parseJson(answer.body))
        if (answer.status !== 200 || !page.success) return null
        const queues = readEntries(page.data.data).map(({ stats }) => stats.queue_absolute)
        return {
          runningRequests: null,
          waitingRequests: sumOfCounts(queues),
          kvCacheUsageRatio: null,
          slots: null,
          kvTokens: null,
        }
      },
    },
  ],
  supportsStreamUsage: false,
  apiPath: '/v1',
  usualPorts: [7997],
  launch: checkedLaunch(facts, infinityPlan),
  continuation: { kind: 'none', why: 'A vector or a score is whole or not there at all.' },
  knownErrors: torchErrors,
  alarms: torchAlarms,
  stop: { signal: 'SIGTERM', graceMs: 10_000 },
}

function readEntries(entries: readonly unknown[]): readonly z.output<typeof model>[] {
  return entries.flatMap((entry) => {
    const read = model.safeParse(entry)
    return read.success ? [read.data] : []
  })
}

function infinityPlan(request: CheckedRequest): LaunchPlan {
  const { kind, backend, modelName, apiKey } = request
  return {
    kind: 'plan',
    command: kind === 'container' ? 'infinity_emb' : (request.executable ?? 'infinity_emb'),
    args: [
      'v2',
      ...['--model-id', request.weights.path],
      ...['--served-model-name', modelName],
      ...['--host', listenHost(request)],
      ...['--port', String(request.port)],
      ...['--url-prefix', '/v1'],
      ...['--engine', 'torch'],
      ...['--device', torchDevice[backend]],
      ...request.extraArgs,
    ],
    env: {
      ...deviceEnvironment(request),
      ...nvidiaEnvironment(request),
      ...offlineEnvironment,
      INFINITY_ANONYMOUS_USAGE_STATS: '0',
    },
    secretEnv: apiKey === null ? {} : { INFINITY_API_KEY: apiKey },
    container:
      kind === 'container'
        ? containerPlan(request, { image: `michaelf34/infinity:${tags[backend] ?? 'latest'}` })
        : null,
    servedName: modelName,
    preload: null,
  }
}

/** PyTorch calls the GPUs of AMD `cuda` too. */
const torchDevice: Record<CheckedRequest['backend'], string> = {
  cuda: 'cuda',
  rocm: 'cuda',
  metal: 'mps',
  cpu: 'cpu',
  vulkan: 'auto',
  'level-zero': 'auto',
}

const tags: Partial<Record<CheckedRequest['backend'], string>> = {
  rocm: 'latest-rocm',
  cpu: 'latest-cpu',
}
