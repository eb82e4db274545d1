import { z } from 'zod'
import type { EndpointLoad } from '#core/endpoint.ts'
import type { EngineFacts } from '#core/engine-facts.ts'
import { compatibilityOf } from '#engines/compatibility/table.ts'
import type { Engine } from '#engines/engine.ts'
import { torchAlarms } from '#engines/engine-alarms.ts'
import { sumOfCounts, wholeNumber } from '#engines/engine-fields.ts'
import { loadingBy503 } from '#engines/engine-health.ts'
import { identifiedBy } from '#engines/engine-identity.ts'
import { checkedLaunch } from '#engines/engine-launch.ts'
import { metricsLoad } from '#engines/engine-metrics-load.ts'
import { readModelList } from '#engines/engine-model-list.ts'
import { stepsByMemory, torchProcessBytes } from '#engines/engine-process-memory.ts'
import { pythonPackage } from '#engines/engine-program.ts'
import { sglangErrors } from '#engines/sglang/known-errors.ts'
import { sglangPlan } from '#engines/sglang/launch.ts'
import { parseJson } from '#std/parse-json.ts'

const modelInfo = z.object({ model_path: z.string(), is_generation: z.boolean() })

const running = 'sglang:num_running_reqs'
const waiting = 'sglang:num_queue_reqs'
const kvCacheUsage = 'sglang:token_usage'
const kvTokens = 'sglang:max_total_num_tokens'

/** One row for each data-parallel rank. `num_reqs` counts those that wait as well. */
const rank = z.union([
  z
    .object({ num_running_reqs: wholeNumber, num_waiting_reqs: wholeNumber })
    .transform((row) => ({ running: row.num_running_reqs, waiting: row.num_waiting_reqs })),
  z.object({ num_reqs: wholeNumber, num_waiting_reqs: wholeNumber }).transform((row) => ({
    running: Math.max(0, row.num_reqs - row.num_waiting_reqs),
    waiting: row.num_waiting_reqs,
  })),
])
const ranks = z.array(rank).min(1)
const loadPage = z.union([
  ranks,
  z.object({ loads: ranks }).transform((page) => page.loads),
  rank.transform((row) => [row]),
])

const facts = {
  id: 'sglang',
  title: 'SGLang',
  ...compatibilityOf('sglang'),
  weightsFormats: ['safetensors'],
  tasks: [
    'chat',
    'completion',
    'responses',
    'messages',
    'count-tokens',
    'embedding',
    'rerank',
    'score',
    'transcription',
    'tokenize',
  ],
  spread: 'tensor-parallel',
  // It takes a key as an argument alone, and arguments are there for every user to read.
  checksApiKey: false,
  memory: {
    kind: 'fraction',
    // What it comes to by itself on most cards: the rest is for activations and graphs.
    fractionUsual: 0.85,
    covers: 'weights-and-kv',
    batchTokens: stepsByMemory,
    blockTokens: 1,
    graphBytes: 512 * 2 ** 20,
    kvCacheTypes: ['f16', 'fp8'],
    processBytes: torchProcessBytes,
    slotsUsual: 256,
  },
} satisfies EngineFacts

/** SGLang. It listens early and says 503 with an empty body until it is warm. */
export const sglang: Engine = {
  ...facts,
  identify: {
    path: '/get_model_info',
    read: identifiedBy(modelInfo),
  },
  health: {
    path: '/health',
    // Draining before a shutdown says 503 as well; then nothing listens soon after.
    read: loadingBy503,
  },
  models: { path: '/v1/models', read: readModelList },
  loadPages: [
    // Only there with `--enable-metrics`.
    metricsLoad({
      running: [running],
      waiting: [waiting],
      kvCacheUsage: [kvCacheUsage],
      kvTokens: [kvTokens],
    }),
    {
      path: '/get_load',
      read(answer): EndpointLoad | null {
        if (answer.status !== 200) return null
        const page = loadPage.safeParse(parseJson(answer.body))
        if (!page.success) return null
        return {
          runningRequests: sumOfCounts(page.data.map((row) => row.running)),
          waitingRequests: sumOfCounts(page.data.map((row) => row.waiting)),
          kvCacheUsageRatio: null,
          slots: null,
          kvTokens: null,
        }
      },
    },
  ],
  supportsStreamUsage: true,
  apiPath: '/v1',
  usualPorts: [30000],
  launch: checkedLaunch(facts, sglangPlan),
  program: pythonPackage('sglang', 'with-torch'),
  continuation: {
    kind: 'assistant-prefill',
    fields: { continue_final_message: true },
    // Its Messages API opens a new answer behind the one that was begun.
    tasks: ['chat'],
    // It takes the message off, opens a new one, and adds what the old one said: templates that
    // open thoughts would do so again. Their words for "do not" differ by model.
    thoughts: {
      kind: 'left-out',
      fields: { chat_template_kwargs: { enable_thinking: false, thinking: false } },
    },
    mayRepeat: [],
    repeatsUnlessStreamed: false,
  },
  formFields: ['json_schema', 'regex', 'ebnf', 'structural_tag', 'continue_final_message'],
  knownErrors: sglangErrors,
  alarms: torchAlarms,
  // It finishes what runs, without a limit of its own.
  stop: { signal: 'SIGTERM', graceMs: 60_000 },
}
