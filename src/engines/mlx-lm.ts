import { z } from 'zod'
import type { EngineFacts } from '#core/engine-facts.ts'
import { compatibilityOf } from '#engines/compatibility/table.ts'
import type { Engine } from '#engines/engine.ts'
import { offlineEnvironment } from '#engines/engine-device-environment.ts'
import { readyBy200 } from '#engines/engine-health.ts'
import { bareIdentity } from '#engines/engine-identity.ts'
import { processErrors, pythonErrors } from '#engines/engine-known-errors.ts'
import { type CheckedRequest, checkedLaunch, type LaunchPlan } from '#engines/engine-launch.ts'
import { readModelList } from '#engines/engine-model-list.ts'
import { torchProcessBytes } from '#engines/engine-process-memory.ts'
import { parseJson } from '#std/parse-json.ts'

const healthPage = z.object({ status: z.literal('ok') })

const facts = {
  id: 'mlx-lm',
  title: 'MLX-LM',
  ...compatibilityOf('mlx-lm'),
  weightsFormats: ['mlx', 'safetensors'],
  tasks: ['chat', 'completion'],
  spread: 'single',
  checksApiKey: false,
  memory: {
    kind: 'whole-context',
    batchTokens: 512,
    paddingTokens: 256,
    keepsTokenEmbeddingOnHost: false,
    offloads: 'nothing',
    flashAttention: ['metal'],
    kvCacheTypes: ['f16'],
    processBytes: torchProcessBytes,
    slotsUsual: 4,
  },
} satisfies EngineFacts

/** The server that comes with Apple's MLX-LM. A request may name another model, and it loads that. */
export const mlxLm: Engine = {
  ...facts,
  identify: {
    path: '/health',
    // Many say that they are ok; only this one does so on the server of Python's own library.
    read(answer) {
      const { server } = answer.headers
      const python = typeof server === 'string' && server.startsWith('BaseHTTP/')
      const ok = answer.status === 200 && healthPage.safeParse(parseJson(answer.body)).success
      return python && ok ? bareIdentity : null
    },
  },
  health: {
    path: '/health',
    read: readyBy200,
  },
  models: { path: '/v1/models', read: readModelList },
  loadPages: [],
  supportsStreamUsage: true,
  apiPath: '/v1',
  usualPorts: [8080],
  launch: checkedLaunch(facts, mlxLmPlan),
  // In a chat it closes every message, and opens a new answer.
  continuation: { kind: 'completion' },
  knownErrors: [
    {
      pattern: /kIOGPUCommandBufferCallbackErrorOutOfMemory|\[METAL\] .{0,80}Insufficient Memory/i,
      meaning: 'The memory that macOS gives to the GPU does not suffice.',
      fix: 'Take a smaller model or context; `sudo sysctl iogpu.wired_limit_mb=…` raises the limit.',
    },
    {
      pattern: /Model type .{0,80} not supported/i,
      meaning: 'This release of MLX-LM does not know the architecture of the model.',
      fix: 'Take a newer MLX-LM, or GGUF weights with llama-server.',
    },
    {
      pattern: /No Metal device|\[metal::load_device\]/i,
      meaning: 'The engine sees no GPU of Apple.',
      fix: 'Run it on Apple silicon, not in a virtual machine and not under Rosetta.',
    },
    ...pythonErrors,
    ...processErrors,
  ],
  alarms: [],
  // It ends at once; a Ctrl-C would wait for the threads of running answers.
  stop: { signal: 'SIGTERM', graceMs: 5_000 },
}

function mlxLmPlan(request: CheckedRequest): LaunchPlan {
  const { weights, contextTokens, slots } = request
  return {
    kind: 'plan',
    command: request.executable ?? 'mlx_lm.server',
    args: [
      ...['--model', weights.path],
      ...['--host', request.host],
      ...['--port', String(request.port)],
      // Where a request sets no limit; its own default of 512 cuts most answers off.
      ...['--max-tokens', String(contextTokens)],
      ...['--decode-concurrency', String(slots)],
      ...request.extraArgs,
    ],
    env: offlineEnvironment,
    secretEnv: {},
    container: null,
    // Any other name would make it look for another model.
    servedName: weights.path,
    preload: null,
  }
}
