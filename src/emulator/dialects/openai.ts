import {
  anthropicFailure,
  type Dialect,
  exactModel,
  jsonPage,
  type PageContext,
  taskRoutes,
  usualPaths,
} from '#emulator/dialect.ts'
import { type Failure, messageOf, statusOf } from '#emulator/failure.ts'
import { tokenId } from '#emulator/words.ts'
import { errorTypeOfStatus, openAiErrorBody } from '#openai/error.ts'

function errorBody(failure: Failure) {
  const status = statusOf(failure)
  switch (failure.kind) {
    case 'unknown-model':
      return {
        error: {
          message: `The model \`${failure.model}\` does not exist or you do not have access to it.`,
          type: 'invalid_request_error',
          param: null,
          code: 'model_not_found',
        },
      }
    case 'unknown-path':
      return {
        error: {
          message: `Invalid URL (${failure.method})`,
          type: 'invalid_request_error',
          param: null,
          code: null,
        },
      }
    case 'unauthorized':
      return {
        error: {
          message: 'Incorrect API key provided.',
          type: 'invalid_request_error',
          param: null,
          code: 'invalid_api_key',
        },
      }
    case 'context-length':
      return openAiErrorBody(status, messageOf(failure), 'context_length_exceeded', 'messages')
    case 'content-filter':
      return openAiErrorBody(status, messageOf(failure), 'content_filter', 'prompt')
    case 'rate-limited':
      return {
        error: {
          message: messageOf(failure),
          type: 'requests',
          param: null,
          code: 'rate_limit_exceeded',
        },
      }
    case 'bad-request':
      return openAiErrorBody(status, failure.message, null, failure.param)
    default:
      return openAiErrorBody(status, messageOf(failure))
  }
}

function failurePage(failure: Failure, path: string) {
  if (path.startsWith('/v1/messages')) {
    return anthropicFailure(statusOf(failure), messageOf(failure))
  }
  return jsonPage(statusOf(failure), errorBody(failure))
}

function models({ settings, startedAtSeconds }: PageContext) {
  return jsonPage(200, {
    object: 'list',
    data: settings.models.map((id) => ({
      id,
      object: 'model',
      created: startedAtSeconds,
      owned_by: 'organization-owner',
    })),
  })
}

/** Any server of the OpenAI API: no health page, no metrics, only the API itself. */
export const openai: Dialect = {
  engine: 'openai',
  version: '1',
  serverHeader: null,
  routes: [
    { kind: 'page', method: 'GET', path: '/v1/models', isHealth: true, page: models },
    ...taskRoutes({
      chat: usualPaths.chat,
      completion: usualPaths.completion,
      responses: usualPaths.responses,
      embedding: usualPaths.embedding,
      transcription: usualPaths.transcription,
      translation: usualPaths.translation,
      speech: usualPaths.speech,
      image: usualPaths.image,
    }),
  ],
  whileLoading: jsonPage(503, openAiErrorBody(503, 'The server is starting.')),
  publicPaths: [],
  keepAliveTimeoutMs: 60_000,
  waitingMax: null,
  stream: {
    reasoningField: 'reasoning_content',
    finishesWithLastPiece: false,
    headersAtStart: false,
    doneAfterError: false,
    continuousUsage: false,
    timings: false,
  },
  continuesPrefill: 'always',
  continuesMessages: false,
  prefilledThoughts: 'dropped',
  continuationMistake: () => null,
  repeatsPrefill: false,
  refusesUnknownModel: true,
  requiresModel: true,
  loadsOnDemand: false,
  truncatesPrompt: false,
  servedModel: exactModel,
  failurePage,
  streamError: (message) => ({
    error: { message, type: errorTypeOfStatus(500), param: null, code: null },
  }),
  shapes: {
    rerank: ({ id, model, promptTokens, results, returnDocuments }) => ({
      id,
      model,
      usage: { total_tokens: promptTokens },
      results: results.map(({ index, document, score }) => ({
        index,
        relevance_score: score,
        ...(returnDocuments ? { document: { text: document } } : {}),
      })),
    }),
    score: ({ id, model, promptTokens, scores }) => ({
      id,
      object: 'list',
      model,
      data: scores.map((score, index) => ({ index, object: 'score', score })),
      usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
    }),
    tokenize: (tokens, contextTokens) => ({
      count: tokens.length,
      max_model_len: contextTokens,
      tokens: tokens.map(tokenId),
    }),
  },
}
