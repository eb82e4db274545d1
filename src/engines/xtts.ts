import { z } from 'zod'
import type { EngineFacts } from '#core/engine-facts.ts'
import { compatibilityOf } from '#engines/compatibility/table.ts'
import type { Engine } from '#engines/engine.ts'
import { containerPlan, nvidiaEnvironment } from '#engines/engine-container.ts'
import { deviceEnvironment } from '#engines/engine-device-environment.ts'
import { identifiedBy } from '#engines/engine-identity.ts'
import { torchErrors } from '#engines/engine-known-errors.ts'
import { type CheckedRequest, checkedLaunch, type LaunchPlan } from '#engines/engine-launch.ts'
import { torchProcessBytes } from '#engines/engine-process-memory.ts'
import { speechEngine } from '#engines/engine-speech.ts'

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
  ...speechEngine,
  identify: { path: '/v1/models', read: identifiedBy(modelsPage) },
  usualPorts: [8000],
  launch: checkedLaunch(facts, xttsPlan),
  knownErrors: [
    {
      pattern: /You must (confirm|agree)|terms of service/i,
      meaning: 'The licence of XTTS was not agreed to.',
      fix: 'Read it (Coqui Public Model License), and set COQUI_TOS_AGREED=1.',
    },
    ...torchErrors,
  ],
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
      // Models and voices lie in one directory. What is there may be links to files of others.
      mounts: [{ source: weights.root, target: '/app/voices', readOnly: true }],
      containerPort,
    }),
    servedName: xttsName,
    preload: null,
  }
}
