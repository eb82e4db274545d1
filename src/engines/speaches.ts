import { z } from 'zod'
import type { EngineFacts } from '#core/engine-facts.ts'
import type { Task } from '#core/task.ts'
import { compatibilityOf } from '#engines/compatibility/table.ts'
import type { Engine, EngineModel } from '#engines/engine.ts'
import { containerPlan, listenHost, nvidiaEnvironment } from '#engines/engine-container.ts'
import { deviceEnvironment, offlineEnvironment } from '#engines/engine-device-environment.ts'
import { readyBy200 } from '#engines/engine-health.ts'
import { identifiedBy } from '#engines/engine-identity.ts'
import { cudaErrors, processErrors, pythonErrors } from '#engines/engine-known-errors.ts'
import {
  type CheckedRequest,
  checkedLaunch,
  type LaunchPlan,
  type LaunchProblem,
  launchProblem,
} from '#engines/engine-launch.ts'
import { torchProcessBytes } from '#engines/engine-process-memory.ts'
import { pythonPackage } from '#engines/engine-program.ts'
import { parseJson } from '#std/parse-json.ts'

const loadedPage = z.object({ models: z.array(z.string()) })
const modelsPage = z.object({ data: z.array(z.unknown()) })
const model = z.object({ id: z.string().min(1).max(1_000), task: z.string().catch('') })

const tasksOf: Readonly<Record<string, readonly Task[]>> = {
  'automatic-speech-recognition': ['transcription', 'translation'],
  'text-to-speech': ['speech'],
}

const facts = {
  id: 'speaches',
  title: 'speaches',
  ...compatibilityOf('speaches'),
  weightsFormats: ['ctranslate2'],
  tasks: ['transcription', 'translation'],
  spread: 'single',
  checksApiKey: true,
  memory: {
    kind: 'weights-only',
    // Beams and the cache of the decoder beside the weights, as with whisper.cpp.
    weightsFactor: 1.3,
    batchTokens: 1_500,
    processBytes: torchProcessBytes,
    slotsUsual: 4,
  },
} satisfies EngineFacts

/** speaches, with faster-whisper inside. It is ready without a model, and loads those on its disk. */
export const speaches: Engine = {
  ...facts,
  // Speech too, where a user has given it a model for that.
  tasks: ['transcription', 'translation', 'speech'],
  identify: {
    path: '/api/ps',
    // Ollama has the same page, with objects in the list.
    read: identifiedBy(loadedPage),
    confirm: {
      path: '/health',
      read: (answer) => answer.status === 200 && answer.body.trim() === 'OK',
    },
  },
  health: {
    path: '/health',
    read: readyBy200,
  },
  models: {
    path: '/v1/models',
    read(answer) {
      const page = modelsPage.safeParse(parseJson(answer.body))
      if (answer.status !== 200 || !page.success) return null
      const models = new Map<string, EngineModel>()
      for (const entry of page.data.data) {
        const read = model.safeParse(entry)
        if (!read.success) continue
        const { id, task } = read.data
        const tasks = Object.hasOwn(tasksOf, task) ? (tasksOf[task] ?? null) : null
        models.set(id, { servedName: id, contextTokens: null, tasks })
      }
      return [...models.values()]
    },
  },
  loadPages: [],
  supportsStreamUsage: false,
  apiPath: '/v1',
  usualPorts: [8000],
  launch: checkedLaunch(facts, speachesPlan),
  // It is started by uvicorn, which many have for other things.
  program: pythonPackage('speaches', 'otherwise'),
  continuation: { kind: 'none', why: 'It transcribes a recording from its beginning.' },
  knownErrors: [
    {
      pattern:
        /libcudnn.{0,60}(cannot open|could not load|unable to load)|Unable to load any of \{?libcudnn/i,
      meaning: 'The library cuDNN 9 is not there, which CTranslate2 needs on a GPU.',
      fix: 'Install cuDNN 9 for CUDA 12, or use its container.',
    },
    {
      pattern: /Unable to open file 'model\.bin'/i,
      meaning: 'The weights are not those of CTranslate2.',
      fix: 'Take a faster-whisper model, such as Systran/faster-whisper-large-v3.',
    },
    ...cudaErrors,
    ...pythonErrors,
    ...processErrors,
  ],
  alarms: [],
  stop: { signal: 'SIGTERM', graceMs: 10_000 },
}

function speachesPlan(request: CheckedRequest): LaunchPlan | LaunchProblem {
  const { kind, backend, weights, apiKey } = request
  const name = repositoryIn(weights.path)
  if (name === null) {
    return launchProblem(
      'wrong-format',
      `speaches finds models in a cache of Hugging Face only, and ${weights.path} is in none.`,
      'Give it a path such as <cache>/models--Systran--faster-whisper-small/snapshots/<commit>.',
    )
  }
  return {
    kind: 'plan',
    command: kind === 'container' ? 'uvicorn' : (request.executable ?? 'uvicorn'),
    args: ['--factory', 'speaches.main:create_app', ...request.extraArgs],
    env: {
      ...deviceEnvironment(request),
      ...nvidiaEnvironment(request),
      ...offlineEnvironment,
      HF_HUB_CACHE: weights.root,
      UVICORN_HOST: listenHost(request),
      UVICORN_PORT: String(request.port),
      WHISPER__INFERENCE_DEVICE: backend,
      // The replica is this model: it stays in memory.
      STT_MODEL_TTL: '-1',
      ENABLE_UI: 'false',
    },
    secretEnv: apiKey === null ? {} : { API_KEY: apiKey },
    container:
      kind === 'container'
        ? containerPlan(request, {
            image: `ghcr.io/speaches-ai/speaches:${backend === 'cuda' ? 'latest-cuda-12.6.3' : 'latest-cpu'}`,
          })
        : null,
    servedName: name,
    preload: { path: `/api/ps/${name}`, body: {} },
  }
}

/** `org/name` of a path in the cache layout of Hugging Face. */
function repositoryIn(path: string): string | null {
  const found = /(?:^|[\\/])models--([\w.-]+?)--([\w.-]+)/.exec(path)
  return found === null ? null : `${found[1]}/${found[2]}`
}
