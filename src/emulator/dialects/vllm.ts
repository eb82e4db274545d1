import {
  anthropicFailure,
  type Dialect,
  emptyPage,
  exactModel,
  getRoute,
  jsonPage,
  metricsPage,
  type PageContext,
  taskRoutes,
  usualPaths,
} from '#emulator/dialect.ts'
import { type Failure, messageOf, statusOf } from '#emulator/failure.ts'
import { sample } from '#emulator/histogram.ts'
import { type Fields, isFalse, isTrue } from '#emulator/request-fields.ts'
import { tokenId } from '#emulator/words.ts'

const version = '0.23.0'

/** Its blocks on most devices. */
const kvBlockTokens = 16

const typeByStatus: Readonly<Record<number, string>> = {
  400: 'BadRequestError',
  404: 'NotFoundError',
  405: 'Method Not Allowed',
  429: 'RateLimitError',
  500: 'InternalServerError',
  503: 'ServiceUnavailableError',
}

function errorBody(status: number, message: string, param: string | null) {
  const type = typeByStatus[status] ?? 'BadRequestError'
  return { error: { message, type, param, code: status } }
}

function failurePage(failure: Failure, path: string) {
  const status = statusOf(failure)
  if (failure.kind === 'unauthorized') return jsonPage(401, { error: 'Unauthorized' })
  if (path.startsWith('/v1/messages')) return anthropicFailure(status, messageOf(failure))
  const param =
    failure.kind === 'unknown-model'
      ? 'model'
      : failure.kind === 'bad-request'
        ? failure.param
        : failure.kind === 'context-length'
          ? 'input_tokens'
          : null
  return jsonPage(status, errorBody(status, messageOf(failure), param))
}

function models({ settings, startedAtSeconds }: PageContext) {
  return jsonPage(200, {
    object: 'list',
    data: settings.models.map((id) => ({
      id,
      object: 'model',
      created: startedAtSeconds,
      owned_by: 'vllm',
      root: id,
      parent: null,
      max_model_len: settings.contextTokens,
      permission: [
        {
          id: `modelperm-${id}`,
          object: 'model_permission',
          created: startedAtSeconds,
          allow_create_engine: false,
          allow_sampling: true,
          allow_logprobs: true,
          allow_search_indices: false,
          allow_view: true,
          allow_fine_tuning: false,
          organization: '*',
          group: null,
          is_blocking: false,
        },
      ],
    })),
  })
}

function metrics({ settings, load, inference }: PageContext) {
  const labels = `engine="0",model_name="${settings.models[0] ?? ''}"`
  const kvUsage = Math.min(1, load.kvUsedTokens / load.kvTokens)
  return metricsPage('1.0.0; charset=utf-8', [
    ...sample('vllm:num_requests_running', 'gauge', labels, load.running),
    ...sample('vllm:num_requests_waiting', 'gauge', labels, load.waiting),
    '# TYPE vllm:num_requests_waiting_by_reason gauge',
    `vllm:num_requests_waiting_by_reason{${labels},reason="capacity"} ${load.waiting}`,
    `vllm:num_requests_waiting_by_reason{${labels},reason="deferred"} 0`,
    ...sample('vllm:kv_cache_usage_perc', 'gauge', labels, kvUsage),
    '# TYPE vllm:cache_config_info gauge',
    `vllm:cache_config_info{block_size="${kvBlockTokens}",cache_dtype="auto",engine="0",num_gpu_blocks="${Math.floor(load.kvTokens / kvBlockTokens)}"} 1.0`,
    ...sample('vllm:prefix_cache_queries_total', 'counter', labels, load.prefixQueriedTokensTotal),
    ...sample('vllm:prefix_cache_hits_total', 'counter', labels, load.prefixHitTokensTotal),
    ...sample('vllm:num_preemptions_total', 'counter', labels, load.preemptionsTotal),
    ...sample('vllm:prompt_tokens_total', 'counter', labels, load.promptTokensTotal),
    ...sample('vllm:generation_tokens_total', 'counter', labels, load.outputTokensTotal),
    '# TYPE vllm:request_success_total counter',
    `vllm:request_success_total{${labels},finished_reason="stop"} ${load.finishedTotal}`,
    `vllm:request_success_total{${labels},finished_reason="abort"} ${load.cancelledTotal}`,
    ...inference.ttftSeconds.lines('vllm:time_to_first_token_seconds', labels),
    ...inference.interTokenSeconds.lines('vllm:inter_token_latency_seconds', labels),
    ...inference.endToEndSeconds.lines('vllm:e2e_request_latency_seconds', labels),
    ...inference.queueSeconds.lines('vllm:request_queue_time_seconds', labels),
  ])
}

/**
 * The chat template refuses to open a new answer and to continue the last one at once, and opening
 * a new one is what it does when nobody says otherwise.
 */
function continuationMistake(body: Fields): string | null {
  if (!isTrue(body, 'continue_final_message') || isFalse(body, 'add_generation_prompt')) return null
  return 'Cannot set both `continue_final_message` and `add_generation_prompt` to True.'
}

/**
 * vLLM. Its port is bound while the model loads but nothing listens, so a probe is refused; once
 * it answers it is ready. Its waiting queue has no limit.
 */
export const vllm: Dialect = {
  engine: 'vllm',
  version,
  serverHeader: 'uvicorn',
  routes: [
    { kind: 'page', method: 'GET', path: '/health', isHealth: true, page: () => emptyPage(200) },
    { kind: 'page', method: 'GET', path: '/ping', isHealth: true, page: () => emptyPage(200) },
    getRoute('/v1/models', models),
    getRoute('/metrics', metrics),
    getRoute('/version', ({ settings }) =>
      jsonPage(200, { version, emulator: true, device: settings.device }),
    ),
    getRoute('/load', ({ inFlight }) => jsonPage(200, { server_load: inFlight })),
    ...taskRoutes({
      chat: usualPaths.chat,
      completion: usualPaths.completion,
      responses: usualPaths.responses,
      messages: usualPaths.messages,
      'count-tokens': ['/v1/messages/count_tokens'],
      embedding: usualPaths.embedding,
      rerank: usualPaths.rerank,
      score: usualPaths.score,
      transcription: usualPaths.transcription,
      translation: usualPaths.translation,
      tokenize: usualPaths.tokenize,
    }),
  ],
  whileLoading: 'refuses',
  publicPaths: [
    '/health',
    '/ping',
    '/metrics',
    '/version',
    '/load',
    '/tokenize',
    '/rerank',
    '/score',
  ],
  keepAliveTimeoutMs: 5000,
  waitingMax: null,
  stream: {
    reasoningField: 'reasoning',
    finishesWithLastPiece: true,
    headersAtStart: true,
    doneAfterError: true,
    continuousUsage: true,
    timings: false,
  },
  continuesPrefill: 'when-asked',
  continuesMessages: false,
  prefilledThoughts: 'ended',
  continuationMistake,
  repeatsPrefill: false,
  refusesUnknownModel: true,
  requiresModel: false,
  loadsOnDemand: false,
  truncatesPrompt: false,
  servedModel: exactModel,
  failurePage,
  streamError: (message) => errorBody(500, message, null),
  shapes: {
    rerank: ({ id, model, promptTokens, results }) => ({
      id: `rerank-${id}`,
      model,
      usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
      results: results.map(({ index, document, score }) => ({
        index,
        document: { text: document, multi_modal: null },
        relevance_score: score,
      })),
    }),
    score: ({ id, model, createdSeconds, promptTokens, scores }) => ({
      id: `score-${id}`,
      object: 'list',
      created: createdSeconds,
      model,
      data: scores.map((score, index) => ({ index, object: 'score', score })),
      usage: { prompt_tokens: promptTokens, total_tokens: promptTokens, completion_tokens: 0 },
    }),
    tokenize: (tokens, contextTokens) => ({
      count: tokens.length,
      max_model_len: contextTokens,
      tokens: tokens.map(tokenId),
      token_strs: null,
    }),
  },
}
