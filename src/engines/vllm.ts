import { z } from 'zod'
import type { EngineFacts } from '#core/engine-facts.ts'
import { compatibilityOf } from '#engines/compatibility/table.ts'
import type { Engine } from '#engines/engine.ts'
import { torchAlarms } from '#engines/engine-alarms.ts'
import { sumOfCounts, versionText } from '#engines/engine-fields.ts'
import { readyBy200 } from '#engines/engine-health.ts'
import { identifiedWithVersion } from '#engines/engine-identity.ts'
import { checkedLaunch } from '#engines/engine-launch.ts'
import { metricsLoad } from '#engines/engine-metrics-load.ts'
import { readModelList } from '#engines/engine-model-list.ts'
import { torchProcessBytes } from '#engines/engine-process-memory.ts'
import { backendsOfTorch, versionIn } from '#engines/engine-program.ts'
import { vllmErrors } from '#engines/vllm/known-errors.ts'
import { vllmPlan } from '#engines/vllm/launch.ts'
import { readPrometheusLabels } from '#std/prometheus-text.ts'

const versionPage = z.object({ version: versionText, engine: z.undefined().optional() })

const running = 'vllm:num_requests_running'
const waiting = 'vllm:num_requests_waiting'
const kvCacheUsage = 'vllm:kv_cache_usage_perc'
/** What releases before 0.10 call the same gauge; later ones may still show both. */
const kvCacheUsageOld = 'vllm:gpu_cache_usage_perc'

/**
 * Its cache is told by labels, a line for each data-parallel rank: in tokens since some releases,
 * in blocks before.
 */
function readKvTokens(page: string): number | null {
  const ofRanks = readPrometheusLabels(page, 'vllm:cache_config_info').map((labels) => {
    const number = (name: string): number => Number(labels.get(name) ?? Number.NaN)
    const tokens = number('kv_cache_size_tokens')
    return tokens > 0 ? tokens : number('num_gpu_blocks') * number('block_size')
  })
  const sum = sumOfCounts(ofRanks)
  return sum === 0 ? null : sum
}

const facts = {
  id: 'vllm',
  title: 'vLLM',
  ...compatibilityOf('vllm'),
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
    'translation',
    'tokenize',
  ],
  spread: 'tensor-parallel',
  checksApiKey: true,
  memory: {
    kind: 'fraction',
    // The default is 0.92 now and was 0.90; Motley always says which.
    fractionUsual: 0.9,
    covers: 'all',
    batchTokens: [
      { fromMemoryBytes: 0, tokens: 2_048 },
      { fromMemoryBytes: 70 * 2 ** 30, tokens: 8_192 },
    ],
    blockTokens: 16,
    // Set so that a 4090 with Llama 3.1 8B in bf16 comes to the 41,408 tokens that 0.19 reported.
    graphBytes: 375 * 2 ** 20,
    kvCacheTypes: ['f16', 'fp8'],
    processBytes: torchProcessBytes,
    slotsUsual: 256,
  },
} satisfies EngineFacts

/** vLLM. Nothing listens while it loads; 503 on its health page means that its engine died. */
export const vllm: Engine = {
  ...facts,
  identify: {
    path: '/version',
    read: identifiedWithVersion(versionPage),
    // TensorRT-LLM and LocalAI have the same version page; only vLLM counts in these names.
    confirm: {
      path: '/metrics',
      read: (answer) => answer.status === 200 && answer.body.includes('vllm:'),
    },
  },
  health: {
    path: '/health',
    read: readyBy200,
  },
  models: { path: '/v1/models', read: readModelList },
  loadPages: [
    metricsLoad({
      running: [running],
      waiting: [waiting],
      kvCacheUsage: [kvCacheUsage, kvCacheUsageOld],
      readKvTokens,
    }),
  ],
  supportsStreamUsage: true,
  apiPath: '/v1',
  usualPorts: [8000],
  launch: checkedLaunch(facts, vllmPlan),
  program: {
    questions: [{ command: null, args: ['--version'] }],
    // 0.11.0+rocm700; what PyPI has is without a suffix, and says nothing.
    read: ([answer = null]) => ({
      version: versionIn(answer ?? ''),
      backends: backendsOfTorch(answer ?? ''),
    }),
  },
  continuation: {
    kind: 'assistant-prefill',
    // Both have to be said: the template opens a new answer unless it is told not to.
    fields: { continue_final_message: true, add_generation_prompt: false },
    // Its Messages API has no such fields, and opens a new answer behind the one that was begun.
    tasks: ['chat'],
    thoughts: { kind: 'given', names: ['reasoning', 'reasoning_content'], goOn: false },
    mayRepeat: [],
    repeatsUnlessStreamed: false,
  },
  formFields: [
    'structured_outputs',
    'guided_json',
    'guided_regex',
    'guided_choice',
    'guided_grammar',
    'continue_final_message',
  ],
  knownErrors: vllmErrors,
  alarms: [
    {
      pattern: /Automatically detected platform cpu\b/,
      meaning: 'It sees no GPU that its build can use: it computes on the CPU.',
    },
    {
      pattern: /Total CPU offloaded parameters: (?!0(?:\.0*)?(?:\s|$))([\d.]+)/,
      meaning:
        '$1 GiB of its weights are in the memory of the machine, and cross the bus for every token.',
    },
    ...torchAlarms,
  ],
  // It drops what runs and ends its workers, which takes a while with many of them.
  stop: { signal: 'SIGTERM', graceMs: 30_000 },
}
