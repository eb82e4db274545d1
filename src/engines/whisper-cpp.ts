import { z } from 'zod'
import type { EngineFacts } from '#core/engine-facts.ts'
import { compatibilityOf } from '#engines/compatibility/table.ts'
import type { Engine } from '#engines/engine.ts'
import { ggmlAlarms } from '#engines/engine-alarms.ts'
import { containerPlan, listenHost, nvidiaEnvironment } from '#engines/engine-container.ts'
import { deviceEnvironment } from '#engines/engine-device-environment.ts'
import { cudaErrors, processErrors, rocmErrors } from '#engines/engine-known-errors.ts'
import { type CheckedRequest, checkedLaunch, type LaunchPlan } from '#engines/engine-launch.ts'
import { ggmlProcessBytes } from '#engines/engine-process-memory.ts'
import { parseJson } from '#std/parse-json.ts'

const loadingPage = z.object({ status: z.literal('loading model') })

const facts = {
  id: 'whisper-cpp',
  title: 'whisper.cpp server',
  ...compatibilityOf('whisper-cpp'),
  weightsFormats: ['ggml'],
  tasks: ['transcription'],
  spread: 'single',
  checksApiKey: false,
  memory: {
    kind: 'weights-only',
    // From its README: large takes 3.9 GB for a file of 2.9 GiB, small 0.85 for 0.47.
    weightsFactor: 1.3,
    batchTokens: 1_500,
    processBytes: ggmlProcessBytes,
    slotsUsual: 1,
  },
} satisfies EngineFacts

/** whisper.cpp's server. It serves one request at a time; the others wait for it unseen. */
export const whisperCpp: Engine = {
  ...facts,
  identify: {
    path: '/health',
    read: (answer) =>
      answer.headers['server'] === 'whisper.cpp'
        ? { version: null, contextTokens: null, slots: 1 }
        : null,
  },
  health: {
    path: '/health',
    read(answer) {
      if (answer.status === 200) return 'ready'
      const loading = loadingPage.safeParse(parseJson(answer.body)).success
      return answer.status === 503 && loading ? 'loading' : 'unhealthy'
    },
  },
  // It has one model, takes any name for it and tells none.
  models: { path: '/health', read: () => null },
  loadPages: [],
  supportsStreamUsage: false,
  apiPath: '/v1',
  usualPorts: [8080],
  launch: checkedLaunch(facts, whisperCppPlan),
  continuation: { kind: 'none', why: 'It transcribes a recording from its beginning.' },
  knownErrors: [
    {
      pattern:
        /invalid model (data|file)|bad magic|failed to (initialize whisper context|load model)/i,
      meaning: 'The model file is damaged, not complete, or not one of whisper.cpp.',
      fix: 'Fetch a ggml file made for whisper.cpp; GGUF files are not read.',
    },
    {
      pattern: /ffmpeg is not found/i,
      meaning: 'It was told to convert audio, and ffmpeg is not installed.',
      fix: 'Install ffmpeg, or use its container.',
    },
    ...cudaErrors,
    ...rocmErrors,
    ...processErrors,
  ],
  alarms: ggmlAlarms,
  stop: { signal: 'SIGTERM', graceMs: 10_000 },
}

function whisperCppPlan(request: CheckedRequest): LaunchPlan {
  const { kind, backend, modelName } = request
  return {
    kind: 'plan',
    command: kind === 'container' ? 'whisper-server' : (request.executable ?? 'whisper-server'),
    args: [
      ...['--model', request.weights.path],
      ...['--host', listenHost(request)],
      ...['--port', String(request.port)],
      ...['--inference-path', '/v1/audio/transcriptions'],
      // It takes everything for English unless it is told to listen first.
      ...['--language', 'auto'],
      // ffmpeg reads what it cannot, such as m4a and webm; the images have it.
      ...(kind === 'container' ? ['--convert'] : []),
      ...(backend === 'cpu' ? ['--no-gpu'] : []),
      ...request.extraArgs,
    ],
    env: { ...deviceEnvironment(request), ...nvidiaEnvironment(request) },
    secretEnv: {},
    container:
      kind === 'container'
        ? containerPlan(request, {
            image: `ghcr.io/ggml-org/whisper.cpp:${tags[backend] ?? 'main'}`,
          })
        : null,
    servedName: modelName,
    preload: null,
  }
}

const tags: Partial<Record<CheckedRequest['backend'], string>> = {
  cuda: 'main-cuda',
  vulkan: 'main-vulkan',
}
