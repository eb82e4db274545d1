import { z } from 'zod'
import type { EngineFacts } from '#core/engine-facts.ts'
import type { Task } from '#core/task.ts'
import { compatibilityOf } from '#engines/compatibility/table.ts'
import type { Engine } from '#engines/engine.ts'
import { containerPlan, listenHost, nvidiaEnvironment } from '#engines/engine-container.ts'
import { deviceEnvironment, offlineEnvironment } from '#engines/engine-device-environment.ts'
import { nullable, positiveInteger, versionText } from '#engines/engine-fields.ts'
import { readyBy200 } from '#engines/engine-health.ts'
import { cudaErrors, processErrors, pythonErrors } from '#engines/engine-known-errors.ts'
import {
  type CheckedRequest,
  checkedLaunch,
  type LaunchPlan,
  type LaunchProblem,
  launchProblem,
} from '#engines/engine-launch.ts'
import { metricsLoad } from '#engines/engine-metrics-load.ts'
import { torchProcessBytes } from '#engines/engine-process-memory.ts'
import { parseJson } from '#std/parse-json.ts'

const info = z.object({
  model_id: z.string().min(1).max(1_000),
  model_type: z.record(z.string(), z.unknown()),
  max_input_length: nullable(positiveInteger),
  max_batch_tokens: z.number(),
  version: nullable(versionText),
})

const waiting = 'te_queue_size'

/** One image for each architecture: the kernels of the others are not in it. */
const tags: Readonly<Record<string, string>> = {
  sm_75: 'turing-1.9',
  sm_80: '1.9',
  sm_86: '86-1.9',
  sm_89: '89-1.9',
  sm_90: 'hopper-1.9',
  sm_100: '100-1.9',
  sm_120: '120-1.9',
  sm_121: '121-1.9',
  x86_64: 'cpu-1.9',
  aarch64: 'cpu-arm64-1.9',
}
const names = Object.keys(tags)

const facts = {
  id: 'tei',
  title: 'Text Embeddings Inference',
  ...compatibilityOf('tei'),
  weightsFormats: ['safetensors'],
  // It reranks as well, in a shape of its own that no client of ours sends.
  tasks: ['embedding'],
  spread: 'single',
  checksApiKey: true,
  memory: {
    kind: 'weights-only',
    weightsFactor: 1,
    // `--max-batch-tokens`.
    batchTokens: 16_384,
    processBytes: torchProcessBytes,
    slotsUsual: 32,
  },
} satisfies EngineFacts

/** Hugging Face's server for embeddings. One process serves one model, and listens when it is warm. */
export const tei: Engine = {
  ...facts,
  identify: {
    path: '/info',
    read(answer) {
      const page = info.safeParse(parseJson(answer.body))
      if (answer.status !== 200 || !page.success) return null
      const { version, max_input_length } = page.data
      return { version, contextTokens: max_input_length, slots: null }
    },
  },
  health: {
    path: '/health',
    read: readyBy200,
  },
  models: {
    path: '/info',
    read(answer) {
      const page = info.safeParse(parseJson(answer.body))
      if (answer.status !== 200 || !page.success) return null
      const { model_id, model_type, max_input_length } = page.data
      const tasks: Task[] = Object.hasOwn(model_type, 'embedding') ? ['embedding'] : []
      return [{ servedName: model_id, contextTokens: max_input_length, tasks }]
    },
  },
  loadPages: [metricsLoad({ waiting: [waiting] })],
  supportsStreamUsage: false,
  apiPath: '/v1',
  usualPorts: [3000],
  launch: checkedLaunch(facts, teiPlan),
  continuation: { kind: 'none', why: 'A vector is whole or not there at all.' },
  knownErrors: [
    {
      pattern: /compute cap .{0,80}(not compatible|is not supported)|Runtime compute cap/i,
      meaning: 'This build of TEI is for GPUs of another architecture.',
      fix: 'Take the image of the architecture: 86, 89, hopper, 120 and so on.',
    },
    {
      pattern: /Could not (create|start) backend|Model is not supported/i,
      meaning: 'TEI does not know this kind of model, or cannot load it.',
      fix: 'See which architectures this release serves; Infinity serves more of them.',
    },
    ...cudaErrors,
    ...pythonErrors,
    ...processErrors,
  ],
  alarms: [
    {
      pattern: /Starting \w+ model on Cpu\b/,
      meaning: 'It sees no GPU that its build can use: it computes on the CPU.',
    },
  ],
  stop: { signal: 'SIGTERM', graceMs: 10_000 },
}

function teiPlan(request: CheckedRequest): LaunchPlan | LaunchProblem {
  const { kind, modelName, apiKey, devices } = request
  const tag = tags[devices[0]?.architecture ?? '']
  if (kind === 'container' && tag === undefined) {
    return launchProblem(
      'wrong-architecture',
      'There is an image for each architecture, and that of the device is not known.',
      `Name it; there are images for ${names.join(', ')}.`,
    )
  }
  return {
    kind: 'plan',
    command:
      kind === 'container'
        ? 'text-embeddings-router'
        : (request.executable ?? 'text-embeddings-router'),
    args: [
      ...['--model-id', request.weights.path],
      ...['--served-model-name', modelName],
      // Said in any case: it takes HOSTNAME for it, which in a container is the container's own.
      ...['--hostname', listenHost(request)],
      ...['--port', String(request.port)],
      ...request.extraArgs,
    ],
    env: { ...deviceEnvironment(request), ...nvidiaEnvironment(request), ...offlineEnvironment },
    secretEnv: apiKey === null ? {} : { API_KEY: apiKey },
    container:
      kind === 'container'
        ? containerPlan(request, {
            image: `ghcr.io/huggingface/text-embeddings-inference:${tag}`,
          })
        : null,
    servedName: modelName,
    preload: null,
  }
}
