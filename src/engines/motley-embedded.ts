import { z } from 'zod'
import type { EngineFacts } from '#core/engine-facts.ts'
import { compatibilityOf } from '#engines/compatibility/table.ts'
import type { Engine } from '#engines/engine.ts'
import { deviceEnvironment } from '#engines/engine-device-environment.ts'
import { nullable, versionText } from '#engines/engine-fields.ts'
import { identifiedWithVersion } from '#engines/engine-identity.ts'
import { cudaErrors, processErrors } from '#engines/engine-known-errors.ts'
import {
  type CheckedRequest,
  checkedLaunch,
  gpuLayers,
  type LaunchPlan,
  type LaunchProblem,
  launchProblem,
  quantizedKv,
} from '#engines/engine-launch.ts'
import { loadingByWords } from '#engines/engine-loading-page.ts'
import { metricsLoad } from '#engines/engine-metrics-load.ts'
import { readModelList } from '#engines/engine-model-list.ts'
import { ggmlMemory } from '#engines/engine-process-memory.ts'

const versionPage = z.object({
  engine: z.literal('motley-embedded'),
  version: nullable(versionText),
})

const running = 'motley_embedded_requests_processing'
const waiting = 'motley_embedded_requests_deferred'
const slots = 'motley_embedded_slots_total'
const kvCacheUsage = 'motley_embedded_kv_cache_usage_ratio'
const kvTokens = 'motley_embedded_kv_cache_tokens'

const facts = {
  id: 'motley-embedded',
  title: 'Motley embedded',
  ...compatibilityOf('motley-embedded'),
  weightsFormats: ['gguf'],
  tasks: ['chat', 'completion', 'embedding', 'tokenize'],
  spread: 'layers',
  checksApiKey: true,
  memory: { ...ggmlMemory, offloads: 'layers', slotsUsual: 4 },
} satisfies EngineFacts

/** The small engine that `motley up` brings. */
export const motleyEmbedded: Engine = {
  ...facts,
  identify: {
    path: '/version',
    read: identifiedWithVersion(versionPage),
  },
  health: {
    path: '/health',
    read: loadingByWords,
  },
  models: { path: '/v1/models', read: readModelList },
  loadPages: [
    metricsLoad({
      running: [running],
      waiting: [waiting],
      kvCacheUsage: [kvCacheUsage],
      slots: [slots],
      kvTokens: [kvTokens],
    }),
  ],
  supportsStreamUsage: true,
  apiPath: '/v1',
  // It takes any that is free, and is started by Motley alone.
  usualPorts: [],
  launch: checkedLaunch(facts, embeddedPlan),
  continuation: {
    kind: 'assistant-prefill',
    fields: { continue_final_message: true, add_generation_prompt: false },
    tasks: ['chat'],
    thoughts: { kind: 'left-out', fields: {} },
    mayRepeat: [],
    repeatsUnlessStreamed: false,
  },
  knownErrors: [
    {
      permanent: true,
      pattern:
        /is not a GGUF file|cannot be loaded \(|is cut off after|is damaged: it|is empty; download|is a big-endian GGUF|has GGUF version|Failed to load model/i,
      meaning: 'The model file is damaged, not complete, or of another format.',
      fix: 'Fetch it again; `motley model inspect` says what is in it.',
    },
    {
      permanent: true,
      pattern: /unknown model architecture/i,
      meaning: 'The llama.cpp inside does not know the architecture of the model.',
      fix: 'Take a newer Motley, or a newer llama-server.',
    },
    {
      pattern: /InsufficientMemoryError|A context size of .{0,40}is too large/i,
      meaning: 'The model and its context do not fit in the memory that is free.',
      fix: 'Take a smaller context, fewer slots or stronger quantization.',
    },
    ...cudaErrors,
    ...processErrors,
  ],
  alarms: [
    {
      pattern: /"gpuLayers":0,"layers":(\d+)/,
      meaning:
        'None of its $1 layers is on the GPU: it computes on the CPU. "motley engine install" brings the build for this GPU.',
    },
    {
      isOffload: true,
      pattern: /"gpuLayers":([1-9]\d*),"layers":(?!\1\b)(\d+)/,
      meaning:
        'Only $1 of its $2 layers are on the GPU: the CPU computes the others, and is waited for.',
    },
  ],
  // What it allows itself to free its model, and a little more.
  stop: { signal: 'SIGTERM', graceMs: 3_000 },
}

/** This very program again, in another role and a process of its own. */
function embeddedPlan(request: CheckedRequest): LaunchPlan | LaunchProblem {
  const { ownProgram, apiKey, modelName } = request
  const kvType = quantizedKv(request)
  if (ownProgram === null) {
    return launchProblem(
      'no-program',
      'The embedded engine is a part of Motley, and the way to start it is not known here.',
      'Say in ownProgram how this program is started.',
    )
  }
  return {
    kind: 'plan',
    command: ownProgram.command,
    args: [
      ...ownProgram.args,
      ...['--model', request.weights.path],
      ...['--name', modelName],
      ...['--host', request.host],
      ...['--port', String(request.port)],
      ...['--slots', String(request.slots)],
      ...['--context', String(request.contextTokens)],
      ...(request.backend === 'cpu' ? ['--cpu-only'] : []),
      ...(request.offload === null || request.backend === 'cpu'
        ? []
        : ['--gpu-layers', String(gpuLayers(request.offload))]),
      ...(kvType === null ? [] : ['--kv-cache-type', kvType]),
      ...request.extraArgs,
    ],
    env: deviceEnvironment(request),
    secretEnv: apiKey === null ? {} : { MOTLEY_EMBEDDED_KEY: apiKey },
    container: null,
    servedName: modelName,
    preload: null,
  }
}
