import { z } from 'zod'
import type { EngineFacts } from '#core/engine-facts.ts'
import { compatibilityOf } from '#engines/compatibility/table.ts'
import type { Engine, EngineModel } from '#engines/engine.ts'
import { ggmlAlarms } from '#engines/engine-alarms.ts'
import { containerPlan, listenHost, nvidiaEnvironment } from '#engines/engine-container.ts'
import { deviceEnvironment } from '#engines/engine-device-environment.ts'
import { versionText } from '#engines/engine-fields.ts'
import { readyBy200 } from '#engines/engine-health.ts'
import { cudaErrors, processErrors, rocmErrors } from '#engines/engine-known-errors.ts'
import {
  type CheckedRequest,
  checkedLaunch,
  gpuLayers,
  type LaunchPlan,
  quantizedKv,
} from '#engines/engine-launch.ts'
import { ggmlMemory } from '#engines/engine-process-memory.ts'
import { parseJson } from '#std/parse-json.ts'

const versionPage = z.object({ version: versionText })
const tagsPage = z.object({ models: z.array(z.unknown()) })
const tag = z.object({
  name: z.string().min(1).max(1_000),
  details: z.object({ family: z.string().catch('') }).catch({ family: '' }),
})

const facts = {
  id: 'ollama',
  title: 'Ollama',
  ...compatibilityOf('ollama'),
  // A GGUF file has to be taken into its store before it can be named.
  weightsFormats: ['ollama'],
  tasks: [
    'chat',
    'completion',
    'responses',
    'messages',
    'embedding',
    'transcription',
    'ollama-chat',
    'ollama-generate',
    'ollama-embed',
  ],
  spread: 'layers',
  checksApiKey: false,
  memory: { ...ggmlMemory, offloads: 'layers', slotsUsual: 1 },
} satisfies EngineFacts

/**
 * Ollama. It is ready without any model in memory and loads one when a request names it, so its
 * pages say nothing about how busy it is.
 */
export const ollama: Engine = {
  ...facts,
  identify: {
    path: '/api/version',
    read(answer) {
      if (answer.status !== 200) return null
      const page = versionPage.safeParse(parseJson(answer.body))
      return page.success ? { version: page.data.version, contextTokens: null, slots: null } : null
    },
  },
  health: {
    path: '/api/version',
    read: readyBy200,
  },
  models: {
    path: '/api/tags',
    read(answer) {
      if (answer.status !== 200) return null
      const page = tagsPage.safeParse(parseJson(answer.body))
      if (!page.success) return null
      const models = new Map<string, EngineModel>()
      for (const entry of page.data.models) {
        const model = tag.safeParse(entry)
        if (!model.success) continue
        const { name, details } = model.data
        // The list does not say what a model is for, but encoders only embed.
        const embeds = /bert|embed/i.test(`${details.family} ${name}`)
        models.set(name, {
          // Ollama takes a name without a tag for the one tagged `latest`, and so do its users.
          servedName: name.replace(/:latest$/, ''),
          contextTokens: null,
          tasks: embeds ? ['embedding', 'ollama-embed'] : null,
        })
      }
      return [...models.values()]
    },
  },
  loadPages: [],
  supportsStreamUsage: true,
  apiPath: '/v1',
  usualPorts: [11434],
  launch: checkedLaunch(facts, ollamaPlan),
  // Its templates leave an assistant's message at the end open.
  continuation: {
    kind: 'assistant-prefill',
    fields: {},
    tasks: ['chat', 'messages', 'ollama-chat'],
    // Behind thoughts alone its template ends them, and its parser takes the answer for thoughts.
    thoughts: { kind: 'given', names: ['reasoning'], goOn: false },
    // Where it leaves the template to the llama-server inside it.
    mayRepeat: ['chat', 'messages', 'ollama-chat'],
    repeatsUnlessStreamed: false,
  },
  knownErrors: [
    {
      pattern: /model requires more system memory|requires more system memory/i,
      meaning: 'The model does not fit in the memory of the machine.',
      fix: 'Take a smaller model, stronger quantization or a smaller context.',
    },
    {
      pattern: /unknown model architecture|unsupported model architecture/i,
      meaning: 'This release of Ollama does not know the architecture of the model.',
      fix: 'Take a newer Ollama.',
    },
    {
      pattern: /invalid file magic|digest mismatch/i,
      meaning: 'A file in the store of Ollama is damaged.',
      fix: 'Remove the model with `ollama rm` and pull it again.',
    },
    ...cudaErrors,
    ...rocmErrors,
    ...processErrors,
  ],
  alarms: [
    {
      pattern: /no compatible GPUs were discovered|msg="inference compute".* library=cpu\b/,
      meaning: 'It sees no GPU that it can use: it computes on the CPU.',
    },
    ...ggmlAlarms,
  ],
  stop: { signal: 'SIGTERM', graceMs: 10_000 },
}

function ollamaPlan(request: CheckedRequest): LaunchPlan {
  const { kind, backend, modelName, offload } = request
  const kvType = quantizedKv(request)
  return {
    kind: 'plan',
    command: kind === 'container' ? 'ollama' : (request.executable ?? 'ollama'),
    args: ['serve', ...request.extraArgs],
    env: {
      ...deviceEnvironment(request),
      ...nvidiaEnvironment(request),
      ...hiddenDevices[backend],
      OLLAMA_HOST: `${listenHost(request)}:${request.port}`,
      OLLAMA_MODELS: request.weights.root,
      OLLAMA_CONTEXT_LENGTH: String(request.contextTokens),
      OLLAMA_NUM_PARALLEL: String(request.slots),
      // The replica is this one model: it stays, and no request brings in another.
      OLLAMA_MAX_LOADED_MODELS: '1',
      OLLAMA_KEEP_ALIVE: '-1',
      // Without flash attention it takes no notice of the type.
      ...(kvType === null ? {} : { OLLAMA_KV_CACHE_TYPE: kvType, OLLAMA_FLASH_ATTENTION: '1' }),
    },
    secretEnv: {},
    container:
      kind === 'container'
        ? containerPlan(request, {
            image: backend === 'rocm' ? 'ollama/ollama:rocm' : 'ollama/ollama:latest',
          })
        : null,
    servedName: modelName,
    preload: {
      path: '/api/generate',
      body: {
        model: modelName,
        keep_alive: -1,
        // Requests that say nothing about it leave the model as it was loaded.
        ...(offload === null ? {} : { options: { num_gpu: gpuLayers(offload) } }),
      },
    },
  }
}

/** One program has all backends, and takes the best device it sees unless it may not. */
const hiddenDevices: Record<CheckedRequest['backend'], Readonly<Record<string, string>>> = {
  cuda: { ROCR_VISIBLE_DEVICES: '-1', GGML_VK_VISIBLE_DEVICES: '-1' },
  // HIP reads CUDA_VISIBLE_DEVICES too, so CUDA cannot be hidden from it.
  rocm: { GGML_VK_VISIBLE_DEVICES: '-1' },
  // Else an integrated GPU is left alone.
  vulkan: { CUDA_VISIBLE_DEVICES: '-1', ROCR_VISIBLE_DEVICES: '-1', OLLAMA_IGPU_ENABLE: '1' },
  cpu: {
    CUDA_VISIBLE_DEVICES: '-1',
    ROCR_VISIBLE_DEVICES: '-1',
    GGML_VK_VISIBLE_DEVICES: '-1',
  },
  metal: {},
  'level-zero': {},
}
