import { z } from 'zod'
import type { EngineFacts } from '#core/engine-facts.ts'
import type { Task } from '#core/task.ts'
import { compatibilityOf } from '#engines/compatibility/table.ts'
import type { Engine } from '#engines/engine.ts'
import { containerPlan, listenHost } from '#engines/engine-container.ts'
import { nullable, versionText } from '#engines/engine-fields.ts'
import { loadingBy503 } from '#engines/engine-health.ts'
import { identifiedWithVersion } from '#engines/engine-identity.ts'
import { levelZeroErrors, processErrors } from '#engines/engine-known-errors.ts'
import {
  type CheckedRequest,
  checkedLaunch,
  type LaunchPlan,
  type LaunchProblem,
  launchProblem,
} from '#engines/engine-launch.ts'
import { metricsLoad } from '#engines/engine-metrics-load.ts'
import { readModelList } from '#engines/engine-model-list.ts'
import { torchProcessBytes } from '#engines/engine-process-memory.ts'

const server = z.object({
  name: z.literal('OpenVINO Model Server'),
  version: nullable(versionText),
})

/** Generation runs in graphs, other models in requests of their own. */
const graphs = 'ovms_current_graphs'
const requests = 'ovms_current_requests'

const ovmsTask: Partial<Record<Task, string>> = {
  chat: 'text_generation',
  completion: 'text_generation',
  responses: 'text_generation',
  embedding: 'embeddings',
  rerank: 'rerank',
  transcription: 'speech2text',
  translation: 'speech2text',
  speech: 'text2speech',
  image: 'image_generation',
}

const facts = {
  id: 'openvino',
  title: 'OpenVINO Model Server',
  ...compatibilityOf('openvino'),
  weightsFormats: ['openvino'],
  tasks: Object.keys(ovmsTask) as Task[],
  spread: 'single',
  checksApiKey: false,
  memory: {
    kind: 'whole-context',
    batchTokens: 256,
    paddingTokens: 32,
    keepsTokenEmbeddingOnHost: false,
    offloads: 'nothing',
    flashAttention: ['level-zero', 'cpu'],
    kvCacheTypes: ['f16'],
    processBytes: torchProcessBytes,
    slotsUsual: 4,
  },
} satisfies EngineFacts

/** OpenVINO Model Server. OpenAI's API begins at `/v3` there; `/v1` and `/v2` are other protocols. */
export const openvino: Engine = {
  ...facts,
  identify: {
    path: '/v2',
    read: identifiedWithVersion(server),
  },
  health: {
    path: '/v2/health/ready',
    read: loadingBy503,
  },
  models: { path: '/v3/models', read: readModelList },
  loadPages: [
    // Only there with `--metrics_enable`.
    metricsLoad({ running: [graphs, requests] }),
  ],
  supportsStreamUsage: true,
  apiPath: '/v3',
  // It has none of its own; its guides take this one.
  usualPorts: [8000],
  launch: checkedLaunch(facts, openvinoPlan),
  continuation: { kind: 'completion' },
  knownErrors: [
    {
      pattern:
        /\[GPU\] .{0,80}(out of memory|exceed|CL_OUT_OF_RESOURCES)|CL_OUT_OF_(RESOURCES|HOST_MEMORY)/i,
      meaning: 'The memory of the GPU does not suffice.',
      fix: 'Take a smaller model, or int4 weights.',
    },
    {
      pattern:
        /Device with .{0,20}GPU.{0,20} name is not registered|No device found|Can't get PERFORMANCE_HINT/i,
      meaning: 'OpenVINO sees no Intel GPU.',
      fix: 'Install intel-opencl-icd, and give its user the group render.',
    },
    ...levelZeroErrors,
    ...processErrors,
  ],
  alarms: [],
  stop: { signal: 'SIGTERM', graceMs: 10_000 },
}

function openvinoPlan(request: CheckedRequest): LaunchPlan | LaunchProblem {
  const { kind, backend, weights, task, modelName, devices } = request
  const model = pathWithin(weights.root, weights.path)
  if (model === null) {
    return launchProblem(
      'wrong-format',
      `The weights at ${weights.path} are not below ${weights.root}.`,
      'Set weights.root to the directory of models, and weights.path to one in it.',
    )
  }
  return {
    kind: 'plan',
    command: kind === 'container' ? '/ovms/bin/ovms' : (request.executable ?? 'ovms'),
    args: [
      ...['--rest_bind_address', listenHost(request)],
      ...['--rest_port', String(request.port)],
      ...['--model_repository_path', weights.root],
      ...['--source_model', model],
      ...['--model_name', modelName],
      ...['--task', ovmsTask[task] ?? 'text_generation'],
      ...['--target_device', backend === 'cpu' ? 'CPU' : `GPU.${devices[0]?.index ?? 0}`],
      '--metrics_enable',
      ...request.extraArgs,
    ],
    env: {},
    secretEnv: {},
    container:
      kind === 'container'
        ? containerPlan(request, {
            image: `openvino/model_server:${backend === 'cpu' ? 'latest' : 'latest-gpu'}`,
            // It writes the description of its graph beside the weights.
            mounts: [{ source: weights.root, target: weights.root, readOnly: false }],
          })
        : null,
    servedName: modelName,
    preload: null,
  }
}

/** `path` as seen from `root`; null when it does not lie below. */
function pathWithin(root: string, path: string): string | null {
  const parent = root.replace(/[\\/]+$/, '')
  const below = path.startsWith(parent) && /^[\\/]./.test(path.slice(parent.length))
  return below ? path.slice(parent.length + 1) : null
}
