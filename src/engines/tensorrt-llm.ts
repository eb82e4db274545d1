import { z } from 'zod'
import type { EngineFacts } from '#core/engine-facts.ts'
import { compatibilityOf } from '#engines/compatibility/table.ts'
import type { Engine } from '#engines/engine.ts'
import { containerPlan, listenHost, nvidiaEnvironment } from '#engines/engine-container.ts'
import { deviceEnvironment, offlineEnvironment } from '#engines/engine-device-environment.ts'
import { nullable, versionText, wholeNumber } from '#engines/engine-fields.ts'
import { readyBy200 } from '#engines/engine-health.ts'
import { cudaErrors, processErrors, pythonErrors } from '#engines/engine-known-errors.ts'
import {
  type CheckedRequest,
  checkedLaunch,
  type LaunchPlan,
  lastPathPart,
} from '#engines/engine-launch.ts'
import { readModelList } from '#engines/engine-model-list.ts'
import { torchProcessBytes } from '#engines/engine-process-memory.ts'
import { parseJson } from '#std/parse-json.ts'

const versionPage = z.object({ version: versionText, engine: z.undefined().optional() })
const iterations = z.array(z.unknown())
const iteration = z.object({
  numActiveRequests: nullable(wholeNumber),
  kvCacheStats: nullable(
    z.object({ usedNumBlocks: wholeNumber, maxNumBlocks: z.int().positive() }),
  ),
})

const facts = {
  id: 'tensorrt-llm',
  title: 'TensorRT-LLM',
  ...compatibilityOf('tensorrt-llm'),
  weightsFormats: ['safetensors'],
  tasks: ['chat', 'completion', 'responses'],
  spread: 'tensor-parallel',
  checksApiKey: false,
  memory: {
    kind: 'fraction',
    fractionUsual: 0.9,
    covers: 'kv-of-rest',
    batchTokens: [{ fromMemoryBytes: 0, tokens: 8_192 }],
    blockTokens: 32,
    graphBytes: 512 * 2 ** 20,
    kvCacheTypes: ['f16', 'fp8'],
    processBytes: torchProcessBytes,
    slotsUsual: 256,
  },
} satisfies EngineFacts

/** NVIDIA's engine. It reports what each of its iterations did, once, and nothing where it was idle. */
export const tensorrtLlm: Engine = {
  ...facts,
  identify: {
    path: '/version',
    read(answer) {
      if (answer.status !== 200) return null
      const page = versionPage.safeParse(parseJson(answer.body))
      return page.success ? { version: page.data.version, contextTokens: null, slots: null } : null
    },
    // vLLM and LocalAI have the same version page; nobody else has such metrics.
    confirm: {
      path: '/metrics',
      read: (answer) =>
        answer.status === 200 && iterations.safeParse(parseJson(answer.body)).success,
    },
  },
  health: {
    path: '/health',
    read: readyBy200,
  },
  models: { path: '/v1/models', read: readModelList },
  loadPages: [
    {
      path: '/metrics',
      read(answer) {
        const page = iterations.safeParse(parseJson(answer.body))
        if (answer.status !== 200 || !page.success) return null
        const last = iteration.safeParse(page.data.at(-1))
        const cache = last.success ? last.data.kvCacheStats : null
        return {
          runningRequests: last.success ? last.data.numActiveRequests : null,
          waitingRequests: null,
          kvCacheUsageRatio:
            cache === null ? null : Math.min(1, cache.usedNumBlocks / cache.maxNumBlocks),
          slots: null,
          kvTokens: null,
        }
      },
    },
  ],
  supportsStreamUsage: true,
  apiPath: '/v1',
  usualPorts: [8000],
  launch: checkedLaunch(facts, tensorrtLlmPlan),
  continuation: { kind: 'completion' },
  knownErrors: [
    {
      pattern: /Unknown architecture for AutoModelForCausalLM|Unsupported architecture/i,
      meaning: 'This release of TensorRT-LLM does not know the architecture of the model.',
      fix: 'Take a newer release, or vLLM.',
    },
    ...cudaErrors,
    ...pythonErrors,
    ...processErrors,
  ],
  alarms: [],
  stop: { signal: 'SIGTERM', graceMs: 30_000 },
}

function tensorrtLlmPlan(request: CheckedRequest): LaunchPlan {
  const { kind, weights, memoryFraction, tensorParallel } = request
  return {
    kind: 'plan',
    command: kind === 'container' ? 'trtllm-serve' : (request.executable ?? 'trtllm-serve'),
    args: [
      weights.path,
      ...['--host', listenHost(request)],
      ...['--port', String(request.port)],
      ...['--max_batch_size', String(request.slots)],
      ...['--max_seq_len', String(request.contextTokens)],
      ...(tensorParallel > 1 ? ['--tp_size', String(tensorParallel)] : []),
      // Of what the weights leave, so that it takes a little more than the fraction of the whole.
      ...(memoryFraction === null
        ? []
        : ['--kv_cache_free_gpu_memory_fraction', String(memoryFraction)]),
      ...(request.kvCacheType === 'fp8' ? ['--kv_cache_dtype', 'fp8'] : []),
      ...request.extraArgs,
    ],
    env: {
      ...deviceEnvironment(request),
      ...nvidiaEnvironment(request),
      ...offlineEnvironment,
    },
    secretEnv: {},
    container:
      kind === 'container'
        ? containerPlan(request, {
            image: 'nvcr.io/nvidia/tensorrt-llm/release:latest',
            ipc: 'host',
            ulimits: { memlock: -1, stack: 67_108_864 },
          })
        : null,
    // It has no option for a name.
    servedName: lastPathPart(weights.path),
    preload: null,
  }
}
