import { z } from 'zod'
import type { EngineFacts } from '#core/engine-facts.ts'
import { compatibilityOf } from '#engines/compatibility/table.ts'
import type { Engine } from '#engines/engine.ts'
import { ggmlAlarms } from '#engines/engine-alarms.ts'
import { nullable, positiveInteger, versionText } from '#engines/engine-fields.ts'
import { bareIdentity } from '#engines/engine-identity.ts'
import { checkedLaunch } from '#engines/engine-launch.ts'
import { loadingByWords, saysLoading } from '#engines/engine-loading-page.ts'
import { metricsLoad } from '#engines/engine-metrics-load.ts'
import { readModelList } from '#engines/engine-model-list.ts'
import { ggmlMemory } from '#engines/engine-process-memory.ts'
import { backendsInDeviceList, versionIn } from '#engines/engine-program.ts'
import { llamaServerErrors } from '#engines/llama-server/known-errors.ts'
import { llamaServerPlan } from '#engines/llama-server/launch.ts'
import { parseJson } from '#std/parse-json.ts'

const props = z.object({
  build_info: nullable(versionText),
  default_generation_settings: z.object({ n_ctx: nullable(positiveInteger) }),
  total_slots: nullable(positiveInteger),
})

const slots = z
  .array(z.object({ id: z.number(), is_processing: z.boolean(), n_ctx: nullable(positiveInteger) }))
  .min(1)

/** What a page says of all slots together, each with a context of its own; null where it is no figure. */
function figureOf(tokens: number): number | null {
  const figure = positiveInteger.safeParse(tokens)
  return figure.success ? figure.data : null
}

const running = 'llamacpp:requests_processing'
const waiting = 'llamacpp:requests_deferred'

const facts = {
  id: 'llama-server',
  title: 'llama.cpp llama-server',
  ...compatibilityOf('llama-server'),
  weightsFormats: ['gguf'],
  tasks: [
    'chat',
    'completion',
    'responses',
    'messages',
    'count-tokens',
    'embedding',
    'rerank',
    'tokenize',
  ],
  spread: 'layers',
  checksApiKey: true,
  memory: { ...ggmlMemory, offloads: 'layers-and-experts', slotsUsual: 4 },
} satisfies EngineFacts

/** llama.cpp's server. It listens at once, and every page says 503 until the model is loaded. */
export const llamaServer: Engine = {
  ...facts,
  identify: {
    path: '/props',
    read(answer) {
      const page = props.safeParse(parseJson(answer.body))
      if (answer.status === 200 && page.success) {
        const contextTokens = page.data.default_generation_settings.n_ctx
        const count = page.data.total_slots
        return {
          version: page.data.build_info,
          contextTokens,
          slots: count,
          kvTokens: figureOf((count ?? 0) * (contextTokens ?? 0)),
        }
      }
      // Every answer carries this header, that of a page which wants a key included.
      return saysLoading(answer) || answer.headers['server'] === 'llama.cpp' ? bareIdentity : null
    },
  },
  health: {
    path: '/health',
    read: loadingByWords,
  },
  // Its `meta.n_ctx_train` is what the model was trained with, not what fits here; /props says that.
  models: { path: '/v1/models', read: readModelList },
  loadPages: [
    {
      // On by default, where /metrics is off; it does not say how many wait.
      path: '/slots',
      read(answer) {
        const page = slots.safeParse(parseJson(answer.body))
        if (answer.status !== 200 || !page.success) return null
        return {
          runningRequests: page.data.filter((slot) => slot.is_processing).length,
          waitingRequests: null,
          kvCacheUsageRatio: null,
          slots: page.data.length,
          kvTokens: figureOf(page.data.reduce((sum, { n_ctx }) => sum + (n_ctx ?? Number.NaN), 0)),
        }
      },
    },
    metricsLoad({ running: [running], waiting: [waiting] }),
  ],
  supportsStreamUsage: true,
  apiPath: '/v1',
  usualPorts: [8080],
  launch: checkedLaunch(facts, llamaServerPlan),
  program: {
    questions: [
      { command: null, args: ['--version'] },
      { command: null, args: ['--list-devices'] },
    ],
    read: ([version = null, devices = null]) => ({
      version: versionIn(version ?? ''),
      backends: backendsInDeviceList(devices ?? ''),
    }),
  },
  continuation: {
    kind: 'assistant-prefill',
    // It goes on with an assistant's message at the end without being asked. Only where it is asked,
    // in vLLM's words, does a stream of a chat not begin with that message again. Releases before
    // May 2026 do not know the words, and do not begin with it either.
    fields: { continue_final_message: true, add_generation_prompt: false },
    tasks: ['chat', 'messages'],
    // Before May 2026 a begun answer of a model that thinks is refused.
    thoughts: { kind: 'given', names: ['reasoning_content'], goOn: true },
    // Its Messages API knows no such words.
    mayRepeat: ['messages'],
    repeatsUnlessStreamed: true,
  },
  formFields: ['grammar', 'json_schema', 'continue_final_message'],
  knownErrors: llamaServerErrors,
  alarms: ggmlAlarms,
  // It drops what runs and frees its memory; the next user of the GPU waits for that.
  stop: { signal: 'SIGTERM', graceMs: 10_000 },
}
