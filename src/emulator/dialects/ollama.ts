import {
  anthropicFailure,
  type Dialect,
  getRoute,
  jsonPage,
  type PageContext,
  taskRoutes,
  textPage,
  usualPaths,
} from '#emulator/dialect.ts'
import { type Failure, messageOf, statusOf } from '#emulator/failure.ts'
import { textField } from '#emulator/request-fields.ts'
import { hashText, tokenId } from '#emulator/words.ts'

const version = '0.99.0'

/** Ollama gives a model without a tag the tag `latest`, and lists it so. */
export function withTag(model: string): string {
  return model.includes(':') ? model : `${model}:latest`
}

function servedModel(requested: string, models: readonly string[]): string | null {
  return models.find((model) => withTag(model) === withTag(requested)) ?? null
}

function wording(failure: Failure): string {
  if (failure.kind === 'unknown-model') {
    return `model "${failure.model}" not found, try pulling it first`
  }
  if (failure.kind === 'queue-full') {
    return 'server busy, please try again. maximum pending requests exceeded'
  }
  if (failure.kind === 'unauthorized') return 'unauthorized'
  return messageOf(failure)
}

function errorBody(status: number, message: string) {
  const type =
    status === 404 ? 'not_found_error' : status === 400 ? 'invalid_request_error' : 'api_error'
  return { error: { message, type, param: null, code: null } }
}

function failurePage(failure: Failure, path: string) {
  const status = statusOf(failure)
  if (failure.kind === 'unknown-path') return textPage(404, '404 page not found')
  if (failure.kind === 'wrong-method') return textPage(405, '405 method not allowed')
  if (path.startsWith('/api/')) return jsonPage(status, { error: wording(failure) })
  if (path.startsWith('/v1/messages')) return anthropicFailure(status, wording(failure))
  return jsonPage(status, errorBody(status, wording(failure)))
}

const details = {
  parent_model: '',
  format: 'gguf',
  family: 'llama',
  families: ['llama'],
  parameter_size: '8.0B',
  quantization_level: 'Q4_K_M',
}

const sizeBytes = 4_920_753_328

const digestOf = (model: string): string => hashText(model).toString(16).padStart(8, '0').repeat(8)

const isoTime = (seconds: number): string => new Date(seconds * 1000).toISOString()

function tags({ settings, startedAtSeconds }: PageContext) {
  return jsonPage(200, {
    models: settings.models.map((model) => ({
      name: withTag(model),
      model: withTag(model),
      modified_at: isoTime(startedAtSeconds),
      size: sizeBytes,
      digest: digestOf(model),
      details,
    })),
  })
}

function resident({ residents, settings }: PageContext) {
  return jsonPage(200, {
    models: residents.map(({ model, expiresAtMs }) => ({
      name: withTag(model),
      model: withTag(model),
      size: sizeBytes,
      digest: digestOf(model),
      details,
      expires_at: new Date(expiresAtMs).toISOString(),
      size_vram: sizeBytes,
      context_length: settings.contextTokens,
    })),
  })
}

function show({ body, settings, startedAtSeconds }: PageContext) {
  const requested = textField(body, 'model') ?? textField(body, 'name') ?? ''
  const model = servedModel(requested, settings.models)
  if (model === null) return jsonPage(404, { error: `model '${requested}' not found` })
  return jsonPage(200, {
    modelfile: '',
    parameters: '',
    template: '',
    details,
    model_info: {
      'general.architecture': 'llama',
      'general.parameter_count': 8_030_261_312,
      'llama.context_length': settings.contextTokens,
      'llama.embedding_length': 4096,
    },
    capabilities: ['completion', 'tools'],
    modified_at: isoTime(startedAtSeconds),
  })
}

function models({ settings, startedAtSeconds }: PageContext) {
  return jsonPage(200, {
    object: 'list',
    data: settings.models.map((model) => ({
      id: withTag(model),
      object: 'model',
      created: startedAtSeconds,
      owned_by: 'library',
    })),
  })
}

function oneModel({ settings, startedAtSeconds, rest }: PageContext) {
  const requested = decoded(rest)
  const model = requested === null ? null : servedModel(requested, settings.models)
  if (model === null) return jsonPage(404, errorBody(404, `model '${rest}' not found`))
  return jsonPage(200, {
    id: withTag(model),
    object: 'model',
    created: startedAtSeconds,
    owned_by: 'library',
  })
}

/** Null for what no client encodes so, as `%E0`. */
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/**
 * Ollama. The server is up at once; a model loads when it is first asked for and leaves after five
 * idle minutes. Beyond its queue it answers that it is busy; prompts that are too long are cut.
 */
export const ollama: Dialect = {
  engine: 'ollama',
  version,
  serverHeader: null,
  routes: [
    {
      kind: 'page',
      method: 'GET',
      path: '/',
      isHealth: true,
      page: () => textPage(200, 'Ollama is running'),
    },
    {
      kind: 'page',
      method: 'GET',
      path: '/api/version',
      isHealth: true,
      page: ({ settings }) => jsonPage(200, { version, emulator: true, device: settings.device }),
    },
    getRoute('/api/tags', tags),
    getRoute('/api/ps', resident),
    { kind: 'page', method: 'POST', path: '/api/show', page: show },
    getRoute('/v1/models', models),
    getRoute('/v1/models/*', oneModel),
    ...taskRoutes({
      'ollama-chat': ['/api/chat'],
      'ollama-generate': ['/api/generate'],
      'ollama-embed': ['/api/embed'],
      chat: usualPaths.chat,
      completion: usualPaths.completion,
      responses: usualPaths.responses,
      messages: usualPaths.messages,
      embedding: usualPaths.embedding,
      transcription: usualPaths.transcription,
    }),
  ],
  whileLoading: null,
  publicPaths: ['*'],
  keepAliveTimeoutMs: 0,
  waitingMax: 512,
  stream: {
    reasoningField: 'reasoning',
    finishesWithLastPiece: false,
    headersAtStart: false,
    doneAfterError: false,
    continuousUsage: false,
    timings: false,
  },
  continuesPrefill: 'always',
  continuesMessages: true,
  prefilledThoughts: 'ended',
  continuationMistake: () => null,
  repeatsPrefill: false,
  refusesUnknownModel: true,
  requiresModel: true,
  loadsOnDemand: true,
  truncatesPrompt: true,
  servedModel,
  failurePage,
  streamError: (message) => errorBody(500, message),
  shapes: {
    rerank: ({ model, results }) => ({
      model,
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
