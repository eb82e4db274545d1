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

const modelsPage = z.object({
  data: z.array(z.object({ owned_by: z.literal('kokoro') })).min(1),
})

const facts = {
  id: 'kokoro',
  title: 'Kokoro-FastAPI',
  ...compatibilityOf('kokoro'),
  weightsFormats: ['kokoro'],
  tasks: ['speech'],
  spread: 'single',
  checksApiKey: false,
  memory: {
    kind: 'weights-only',
    weightsFactor: 1.5,
    batchTokens: 512,
    processBytes: torchProcessBytes,
    slotsUsual: 4,
  },
} satisfies EngineFacts

/** Speech from the small Kokoro model. Its list of models holds OpenAI's names, all for the same. */
export const kokoro: Engine = {
  ...facts,
  ...speechEngine,
  identify: { path: '/v1/models', read: identifiedBy(modelsPage) },
  usualPorts: [8880],
  launch: checkedLaunch(facts, kokoroPlan),
  knownErrors: torchErrors,
}

/** The port that the program in the images is fixed to. */
const containerPort = 8_880

function kokoroPlan(request: CheckedRequest): LaunchPlan {
  return {
    kind: 'plan',
    command: '/app/entrypoint.sh',
    args: request.extraArgs,
    env: {
      ...deviceEnvironment(request),
      ...nvidiaEnvironment(request),
      // It holds a directory for the version of the model; the voices are in the image.
      MODEL_DIR: request.weights.path,
      DOWNLOAD_MODEL: 'false',
    },
    secretEnv: {},
    container: containerPlan(request, {
      image: `ghcr.io/remsky/kokoro-fastapi-${imageOf(request)}`,
      containerPort,
    }),
    servedName: 'kokoro',
    preload: null,
  }
}

function imageOf({ backend, devices }: CheckedRequest): string {
  if (backend === 'rocm') return 'rocm:latest'
  if (backend === 'cpu') return 'cpu:latest'
  const blackwell = devices.some(({ architecture }) => /^sm_1\d\d$/.test(architecture ?? ''))
  return blackwell ? 'gpu:latest-cu128' : 'gpu:latest'
}
