/** For tests: a request that every engine takes, on a device that it runs on. */
import type { Backend, LaunchKind } from '#core/engine-build.ts'
import type { Task } from '#core/task.ts'
import type { Engine } from '#engines/engine.ts'
import type { LaunchDevice, LaunchRequest } from '#engines/engine-launch.ts'
import { engines } from '#engines/index.ts'

export const launched = engines.flatMap((engine) =>
  engine.launch === null ? [] : [{ id: engine.id, engine, launch: engine.launch }],
)

/** A device of each backend that every engine for it runs on, and a second one like it. */
export const devices: Record<Backend, readonly LaunchDevice[]> = {
  cuda: [0, 1].map((index) =>
    device(index, `GPU-0a1b2c3d-0000-4000-8000-00000000000${index}`, 'sm_89'),
  ),
  rocm: [0, 1].map((index) => device(index, `GPU-0a1b2c3d4e5f600${index}`, 'gfx942')),
  metal: [{ ...device(0, null, 'apple9'), unifiedMemory: true }],
  vulkan: [1, 2].map((index) => device(index, null, 'gfx1035')),
  'level-zero': [0, 1].map((index) => device(index, null, 'xe-hpg')),
  cpu: [{ ...device(0, null, 'x86_64'), unifiedMemory: true }],
}

export function device(index: number, uuid: string | null, architecture: string): LaunchDevice {
  const busId = `0000:0${index + 1}:00.0`
  return { index, uuid, busId, architecture, unifiedMemory: false }
}

export function requestFor(engine: Engine, backend: Backend, kind: LaunchKind): LaunchRequest {
  const format = engine.weightsFormats[0] ?? 'gguf'
  const task = engine.tasks?.[0] ?? 'chat'
  const modelName = sampleModels[task] ?? 'llama-3.1-8b'
  return {
    replicaId: 'chat-1',
    modelName,
    task,
    weights: { format, path: paths[format] ?? `/models/${modelName}`, root: '/models' },
    host: '127.0.0.1',
    port: 8101,
    backend,
    devices: devices[backend].slice(0, 1),
    contextTokens: 8_192,
    slots: 4,
    memoryFraction: 0.85,
    kvCacheType: null,
    offload: null,
    tensorParallel: 1,
    kind,
    executable: null,
    ownProgram: { command: '/opt/motley/node', args: ['/opt/motley/embedded/main.js'] },
    deviceGroupIds: [44, 993],
    cacheDirectory: '/var/cache/motley',
    allowsArchitectureOverride: false,
    extraArgs: [],
    apiKey: engine.checksApiKey ? secret : null,
  }
}

export const secret = 'sk-this-must-not-be-shown'
const sampleModels: Partial<Record<Task, string>> = {
  embedding: 'bge-m3',
  transcription: 'whisper-large-v3-turbo',
  speech: 'kokoro-82m',
}
const paths: Readonly<Record<string, string>> = {
  gguf: '/models/llama-3.1-8b-Q4_K_M.gguf',
  ggml: '/models/ggml-large-v3-turbo.bin',
  ctranslate2: '/models/models--Systran--faster-whisper-small/snapshots/536b065',
}
