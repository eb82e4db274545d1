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
import { tokenId } from '#emulator/words.ts'

const version = '0.5.10'

const typeByStatus: Readonly<Record<number, string>> = {
  400: 'BadRequestError',
  404: 'NotFoundError',
  500: 'InternalServerError',
}

function errorBody(status: number, message: string, param: string | null) {
  const type = typeByStatus[status] ?? String(status)
  return { object: 'error', message, type, param, code: status }
}

function wording(failure: Failure): string {
  if (failure.kind === 'context-length') {
    return (
      `The input (${failure.promptTokens} tokens) is longer than the model's context length ` +
      `(${failure.contextTokens} tokens).`
    )
  }
  return messageOf(failure)
}

function failurePage(failure: Failure, path: string) {
  const status = statusOf(failure)
  if (failure.kind === 'unauthorized') return jsonPage(401, { error: 'Unauthorized' })
  if (failure.kind === 'loading') return emptyPage(503)
  if (path.startsWith('/v1/messages')) return anthropicFailure(status, wording(failure))
  const param = failure.kind === 'bad-request' ? failure.param : null
  return jsonPage(status, errorBody(status, wording(failure), param))
}

function models({ settings, startedAtSeconds }: PageContext) {
  return jsonPage(200, {
    object: 'list',
    data: settings.models.map((id) => ({
      id,
      object: 'model',
      created: startedAtSeconds,
      owned_by: 'sglang',
      root: id,
      parent: null,
      max_model_len: settings.contextTokens,
    })),
  })
}

function modelInfo({ settings }: PageContext) {
  const model = settings.models[0] ?? ''
  return jsonPage(200, {
    model_path: model,
    tokenizer_path: model,
    is_generation: true,
    preferred_sampling_params: null,
    weight_version: 'default',
  })
}

function serverInfo({ settings, load }: PageContext) {
  return jsonPage(200, {
    model_path: settings.models[0] ?? '',
    served_model_name: settings.models[0] ?? '',
    context_length: settings.contextTokens,
    max_running_requests: settings.slots,
    max_total_num_tokens: load.kvTokens,
    status: 'ready',
    internal_states: [{ last_gen_throughput: load.outputTokensPerSecond }],
    version,
    emulator: true,
    device: settings.device,
  })
}

function loadPage({ load }: PageContext) {
  return jsonPage(200, [
    {
      dp_rank: 0,
      num_reqs: load.running + load.waiting,
      num_waiting_reqs: load.waiting,
      num_tokens: load.kvUsedTokens,
    },
  ])
}

function metrics({ settings, load, inference }: PageContext) {
  const labels = `engine_type="unified",model_name="${settings.models[0] ?? ''}",pp_rank="0",tp_rank="0"`
  const usage = Math.min(1, load.kvUsedTokens / load.kvTokens)
  const hitRate = load.prefixHitTokensTotal / Math.max(1, load.prefixQueriedTokensTotal)
  return metricsPage('1.0.0; charset=utf-8', [
    ...sample('sglang:num_running_reqs', 'gauge', labels, load.running),
    ...sample('sglang:num_queue_reqs', 'gauge', labels, load.waiting),
    ...sample('sglang:token_usage', 'gauge', labels, usage),
    ...sample('sglang:num_used_tokens', 'gauge', labels, load.kvUsedTokens),
    ...sample('sglang:max_total_num_tokens', 'gauge', labels, load.kvTokens),
    ...sample('sglang:gen_throughput', 'gauge', labels, load.outputTokensPerSecond),
    ...sample('sglang:cache_hit_rate', 'gauge', labels, hitRate),
    ...sample('sglang:prompt_tokens_total', 'counter', labels, load.promptTokensTotal),
    ...sample('sglang:generation_tokens_total', 'counter', labels, load.outputTokensTotal),
    ...sample('sglang:cached_tokens_total', 'counter', labels, load.prefixHitTokensTotal),
    ...sample('sglang:num_requests_total', 'counter', labels, load.finishedTotal),
    ...sample('sglang:num_aborted_requests_total', 'counter', labels, load.cancelledTotal),
    ...inference.ttftSeconds.lines('sglang:time_to_first_token_seconds', labels),
    ...inference.interTokenSeconds.lines('sglang:inter_token_latency_seconds', labels),
    ...inference.endToEndSeconds.lines('sglang:e2e_request_latency_seconds', labels),
    ...inference.queueSeconds.lines('sglang:queue_time_seconds', labels),
  ])
}

/**
 * SGLang. It listens early and answers 503 with an empty body until the model is loaded; its errors
 * are flat. It serves whatever it has loaded, by any name.
 */
export const sglang: Dialect = {
  engine: 'sglang',
  version,
  serverHeader: 'uvicorn',
  routes: [
    { kind: 'page', method: 'GET', path: '/health', isHealth: true, page: () => emptyPage(200) },
    {
      kind: 'page',
      method: 'GET',
      path: '/health_generate',
      isHealth: true,
      page: () => emptyPage(200),
    },
    getRoute('/v1/models', models),
    getRoute('/metrics', metrics),
    getRoute('/get_model_info', modelInfo),
    getRoute('/model_info', modelInfo),
    getRoute('/get_server_info', serverInfo),
    getRoute('/server_info', serverInfo),
    getRoute('/get_load', loadPage),
    ...taskRoutes({
      chat: usualPaths.chat,
      completion: usualPaths.completion,
      responses: usualPaths.responses,
      messages: usualPaths.messages,
      'count-tokens': ['/v1/messages/count_tokens'],
      embedding: usualPaths.embedding,
      rerank: ['/v1/rerank'],
      score: ['/v1/score'],
      transcription: usualPaths.transcription,
      tokenize: ['/tokenize', '/v1/tokenize'],
      'ollama-chat': ['/api/chat'],
      'ollama-generate': ['/api/generate'],
    }),
  ],
  whileLoading: emptyPage(503),
  publicPaths: ['/health*', '/metrics'],
  keepAliveTimeoutMs: 5000,
  waitingMax: null,
  stream: {
    reasoningField: 'reasoning_content',
    finishesWithLastPiece: false,
    headersAtStart: true,
    doneAfterError: true,
    continuousUsage: false,
    timings: false,
  },
  continuesPrefill: 'when-asked',
  continuesMessages: false,
  prefilledThoughts: 'dropped',
  continuationMistake: () => null,
  repeatsPrefill: false,
  refusesUnknownModel: false,
  requiresModel: false,
  loadsOnDemand: false,
  truncatesPrompt: false,
  servedModel: exactModel,
  failurePage,
  streamError: (message) => ({ error: errorBody(500, message, null) }),
  shapes: {
    rerank: ({ results }) =>
      results.map(({ index, document, score }) => ({ score, document, index, meta_info: null })),
    score: ({ model, promptTokens, scores }) => ({
      scores: scores.map((score) => [score, 1 - score]),
      model,
      usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
      object: 'scoring',
    }),
    tokenize: (tokens, contextTokens) => ({
      tokens: tokens.map(tokenId),
      count: tokens.length,
      max_model_len: contextTokens,
    }),
  },
}
