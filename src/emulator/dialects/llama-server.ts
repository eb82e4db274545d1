import {
  anthropicFailure,
  type Dialect,
  getRoute,
  jsonPage,
  metricsPage,
  type PageContext,
  type Route,
  taskRoutes,
  usualPaths,
} from '#emulator/dialect.ts'
import { type Failure, messageOf, statusOf } from '#emulator/failure.ts'
import { sample } from '#emulator/histogram.ts'
import { tokenId } from '#emulator/words.ts'

const version = 'b9999-emulated'

const typeByStatus: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  500: 'server_error',
  501: 'not_supported_error',
  503: 'unavailable_error',
}

function errorBody(status: number, message: string) {
  return { error: { code: status, message, type: typeByStatus[status] ?? 'server_error' } }
}

function wording(failure: Failure): string {
  if (failure.kind === 'unauthorized') return 'Invalid API Key'
  if (failure.kind === 'unknown-path') return 'File Not Found'
  return messageOf(failure)
}

function failurePage(failure: Failure, path: string) {
  const status = statusOf(failure)
  if (failure.kind === 'context-length') {
    return jsonPage(400, {
      error: {
        code: 400,
        message: 'the request exceeds the available context size, try increasing it',
        type: 'exceed_context_size_error',
        n_prompt_tokens: failure.promptTokens,
        n_ctx: failure.contextTokens,
      },
    })
  }
  if (path.startsWith('/v1/messages') && failure.kind !== 'loading') {
    return anthropicFailure(status, wording(failure))
  }
  return jsonPage(status, errorBody(status, wording(failure)))
}

function models({ settings, startedAtSeconds }: PageContext) {
  return jsonPage(200, {
    models: settings.models.map((name) => ({
      name,
      model: name,
      type: 'model',
      capabilities: ['completion'],
      details: { format: 'gguf', family: '' },
    })),
    object: 'list',
    data: settings.models.map((id) => ({
      id,
      object: 'model',
      created: startedAtSeconds,
      owned_by: 'llamacpp',
      meta: {
        vocab_type: 2,
        n_vocab: 128_256,
        n_ctx_train: 131_072,
        n_embd: 4096,
        n_params: 8_030_261_312,
        size: 4_912_898_304,
      },
    })),
  })
}

function props({ settings }: PageContext) {
  return jsonPage(200, {
    default_generation_settings: { n_ctx: settings.contextTokens, params: { n_predict: -1 } },
    total_slots: settings.slots,
    model_alias: settings.models[0] ?? '',
    model_path: `/models/${settings.models[0] ?? ''}.gguf`,
    modalities: { vision: false, audio: false },
    chat_template: '',
    build_info: version,
    is_sleeping: false,
    emulator: true,
    device: settings.device,
  })
}

function slots({ settings, load, query, inference }: PageContext) {
  if (query.get('fail_on_no_slot') === '1' && load.running >= load.slots) {
    return failurePage({ kind: 'status', status: 503 }, '/slots')
  }
  const busy = new Map(inference.busySlots().map((one) => [one.slot, one]))
  return jsonPage(
    200,
    Array.from({ length: settings.slots }, (_, id) => {
      const one = busy.get(id)
      const slot = { id, n_ctx: settings.contextTokens, speculative: false }
      if (one === undefined) return { ...slot, id_task: -1, is_processing: false }
      const next = { has_next_token: one.remainingTokens > 0, n_remain: one.remainingTokens }
      return {
        ...slot,
        id_task: one.job,
        is_processing: true,
        next_token: [{ ...next, n_decoded: one.writtenTokens }],
      }
    }),
  )
}

function metrics({ load }: PageContext) {
  const promptSeconds = load.promptMsTotal / 1000
  const outputSeconds = load.outputMsTotal / 1000
  const rate = (tokens: number, seconds: number): number => (seconds > 0 ? tokens / seconds : 0)
  const name = (suffix: string): string => `llamacpp:${suffix}`
  return metricsPage('0.0.4', [
    ...sample(name('prompt_tokens_total'), 'counter', '', load.promptTokensTotal),
    ...sample(name('prompt_seconds_total'), 'counter', '', promptSeconds),
    ...sample(name('tokens_predicted_total'), 'counter', '', load.outputTokensTotal),
    ...sample(name('tokens_predicted_seconds_total'), 'counter', '', outputSeconds),
    ...sample(name('n_decode_total'), 'counter', '', load.stepsTotal),
    ...sample(
      name('prompt_tokens_seconds'),
      'gauge',
      '',
      rate(load.promptTokensTotal, promptSeconds),
    ),
    ...sample(
      name('predicted_tokens_seconds'),
      'gauge',
      '',
      rate(load.outputTokensTotal, outputSeconds),
    ),
    ...sample(name('requests_processing'), 'gauge', '', load.running),
    ...sample(name('requests_deferred'), 'gauge', '', load.waiting),
    ...sample(name('n_busy_slots_per_decode'), 'gauge', '', load.running),
  ])
}

const health = (path: string): Route => ({
  kind: 'page',
  method: 'GET',
  path,
  isHealth: true,
  page: () => jsonPage(200, { status: 'ok' }),
})

/**
 * llama-server of llama.cpp. While it loads every route answers 503 "Loading model"; it serves its
 * one model by any name, and repeats a prefill before the continuation unless it streams.
 */
export const llamaServer: Dialect = {
  engine: 'llama-server',
  version,
  serverHeader: 'llama.cpp',
  routes: [
    health('/health'),
    health('/v1/health'),
    getRoute('/v1/models', models),
    getRoute('/models', models),
    getRoute('/props', props),
    getRoute('/slots', slots),
    getRoute('/metrics', metrics),
    ...taskRoutes({
      chat: ['/v1/chat/completions', '/chat/completions'],
      completion: ['/v1/completions'],
      responses: usualPaths.responses,
      messages: usualPaths.messages,
      'count-tokens': ['/v1/messages/count_tokens'],
      embedding: ['/v1/embeddings', '/embedding', '/embeddings'],
      rerank: ['/rerank', '/reranking', '/v1/rerank', '/v1/reranking'],
      transcription: usualPaths.transcription,
      tokenize: usualPaths.tokenize,
    }),
  ],
  whileLoading: jsonPage(503, {
    error: { message: 'Loading model', type: 'unavailable_error', code: 503 },
  }),
  publicPaths: ['/health', '/v1/health', '/models', '/v1/models'],
  keepAliveTimeoutMs: 5000,
  waitingMax: null,
  stream: {
    reasoningField: 'reasoning_content',
    finishesWithLastPiece: false,
    headersAtStart: false,
    doneAfterError: false,
    continuousUsage: false,
    timings: true,
  },
  continuesPrefill: 'always',
  continuesMessages: true,
  prefilledThoughts: 'gone-on-with',
  continuationMistake: () => null,
  repeatsPrefill: true,
  refusesUnknownModel: false,
  requiresModel: false,
  loadsOnDemand: false,
  truncatesPrompt: false,
  servedModel: (requested, served) =>
    served.includes(requested) ? requested : (served[0] ?? requested),
  failurePage,
  streamError: (message) => errorBody(500, message),
  shapes: {
    rerank: ({ model, promptTokens, results }) => ({
      model,
      object: 'list',
      usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
      results: results.map(({ index, score }) => ({ index, relevance_score: score })),
    }),
    score: ({ model, scores }) => ({
      object: 'list',
      model,
      data: scores.map((score, index) => ({ index, object: 'score', score })),
    }),
    tokenize: (tokens) => ({ tokens: tokens.map(tokenId) }),
  },
}
