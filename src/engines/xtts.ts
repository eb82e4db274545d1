import { z } from 'zod'
import type { EngineFacts } from '#core/engine-facts.ts'
import { compatibilityOf } from '#engines/compatibility/table.ts'
import type { Engine } from '#engines/engine.ts'
import { torchAlarms } from '#engines/engine-alarms.ts'
import { containerPlan, nvidiaEnvironment } from '#engines/engine-container.ts'
import { deviceEnvironment } from '#engines/engine-device-environment.ts'
import {
  cudaErrors,
  processErrors,
  pythonErrors,
  rocmErrors,
} from '#engines/engine-known-errors.ts'
import { type CheckedRequest, checkedLaunch, type LaunchPlan } from '#engines/engine-launch.ts'
import { readModelList } from '#engines/engine-model-list.ts'
import { torchProcessBytes } from '#engines/engine-process-memory.ts'
import { parseJson } from '#std/parse-json.ts'

/** What it calls XTTS; `tts-1` is Piper, which it has beside. */
const xttsName = 'tts-1-hd'

const modelsPage = z.object({
  data: z
    .array(z.object({ id: z.enum(['tts-1', xttsName]), owned_by: z.literal('user') }))
    .length(2),
})

const facts = {
  id: 'xtts',
  title: 'XTTS (openedai-speech)',
  ...compatibilityOf('xtts'),
  weightsFormats: ['xtts'],
  tasks: ['speech'],
  spread: 'single',
  checksApiKey: false,
  memory: {
    kind: 'weights-only',
    // Weights of 1.9 GB are reported to take 3 to 4 GB of a GPU.
    weightsFactor: 1.6,
    batchTokens: 512,
    processBytes: torchProcessBytes,
    slotsUsual: 1,
  },
} satisfies EngineFacts

/** XTTS behind openedai-speech: of its servers the one that speaks OpenAI's API. */
export const xtts: Engine = {
  ...facts,
  identify: {
    path: '/v1/models',
    read: (answer) =>
      answer.status === 200 && modelsPage.safeParse(parseJson(answer.body)).success
        ? { version: null, contextTokens: null, slots: null }
        : null,
  },
  health: {
    path: '/health',
    read: (answer) => (answer.status === 200 ? 'ready' : 'unhealthy'),
  },
  models: {
    path: '/v1/models',
    read: (answer) =>
      readModelList(answer)?.map((model) => ({ ...model, tasks: ['speech'] })) ?? null,
  },
  loadPages: [],
  supportsStreamUsage: false,
  apiPath: '/v1',
  usualPorts: [8000],
  launch: checkedLaunch(facts, xttsPlan),
  continuation: { kind: 'none', why: 'It speaks a text from its beginning.' },
  knownErrors: [
    {
      pattern: /You must (confirm|agree)|terms of service/i,
      meaning: 'The licence of XTTS was not agreed to.',
      fix: 'Read it (Coqui Public Model License), and set COQUI_TOS_AGREED=1.',
    },
    ...cudaErrors,
    ...rocmErrors,
    ...pythonErrors,
    ...processErrors,
  ],
  alarms: torchAlarms,
  stop: { signal: 'SIGTERM', graceMs: 10_000 },
}

const containerPort = 8_000

function xttsPlan(request: CheckedRequest): LaunchPlan {
  const { backend, weights } = request
  return {
    kind: 'plan',
    command: 'python',
    args: [
      'speech.py',
      ...['--host', '0.0.0.0'],
      ...['--port', String(containerPort)],
      ...['--xtts_device', backend === 'cpu' ? 'cpu' : 'cuda'],
      // Else the first answer waits for the model.
      ...['--preload', 'xtts'],
      ...request.extraArgs,
    ],
    env: {
      ...deviceEnvironment(request),
      ...nvidiaEnvironment(request),
      TTS_HOME: 'voices',
      HF_HOME: 'voices',
      COQUI_TOS_AGREED: '1',
    },
    secretEnv: {},
    container: containerPlan(request, {
      image: `ghcr.io/matatonic/openedai-speech${backend === 'rocm' ? '-rocm' : ''}:latest`,
      // Models and voices lie in one directory, and it writes paths into the configuration there.
      mounts: [{ source: weights.root, target: '/app/voices', readOnly: false }],
      containerPort,
    }),
    servedName: xttsName,
    preload: null,
  }
}
