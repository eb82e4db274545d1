/**
 * A dialect is how one engine speaks: which routes it has, what its pages and errors look like,
 * how it behaves while it loads, and the small habits of its streams. It is data and pure
 * functions; sockets, timing and faults are the server's.
 */
import type { Task } from '#core/task.ts'
import type { EmulatedEngine } from '#emulator/emulated-engine.ts'
import type { Failure } from '#emulator/failure.ts'
import type { Inference, InferenceLoad } from '#emulator/inference.ts'
import type { EmulatorSettings } from '#emulator/options.ts'
import type { Fields } from '#emulator/request-fields.ts'

/** One HTTP answer, whole. */
export interface Page {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

export function jsonPage(status: number, body: unknown): Page {
  return { status, contentType: 'application/json', body: JSON.stringify(body) }
}

export function emptyPage(status: number): Page {
  return { status, contentType: 'text/plain; charset=utf-8', body: '' }
}

export function textPage(status: number, body: string): Page {
  return { status, contentType: 'text/plain; charset=utf-8', body }
}

/** A page in Prometheus' text format; its version differs between client libraries. */
export function metricsPage(version: string, lines: readonly string[]): Page {
  const contentType = `text/plain; version=${version}`
  return { status: 200, contentType, body: `${lines.join('\n')}\n` }
}

/** A model in memory, for engines that load by themselves. */
export interface ResidentModel {
  readonly model: string
  readonly expiresAtMs: number
}

/** What a page may tell of. */
export interface PageContext {
  readonly settings: EmulatorSettings
  readonly load: InferenceLoad
  readonly inference: Inference
  /** Requests begun and not over, whatever they wait for. */
  readonly inFlight: number
  readonly startedAtSeconds: number
  readonly residents: readonly ResidentModel[]
  readonly query: URLSearchParams
  /** What `*` at the end of the route's path stands for. */
  readonly rest: string
  /** The JSON body of a POST; {} otherwise. */
  readonly body: Fields
}

/** What can be asked of an engine, beyond the tasks of the OpenAI world. */
export type EmulatedTask =
  | Task
  | 'ollama-chat'
  | 'ollama-generate'
  | 'ollama-embed'
  | 'count-tokens'

export type Route =
  | {
      readonly kind: 'page'
      readonly method: 'GET' | 'POST'
      /** A trailing `*` matches any rest. */
      readonly path: string
      /** The health page is the one that faults about health touch. */
      readonly isHealth?: boolean
      page(context: PageContext): Page
    }
  | { readonly kind: 'task'; readonly path: string; readonly task: EmulatedTask }

/** A page that is only looked at. */
export function getRoute(path: string, page: (context: PageContext) => Page): Route {
  return { kind: 'page', method: 'GET', path, page }
}

/** Habits of a stream that differ between engines. */
export interface StreamHabits {
  readonly reasoningField: 'reasoning' | 'reasoning_content'
  /** Whether `finish_reason` comes with the last piece or in a chunk of its own. */
  readonly finishesWithLastPiece: boolean
  /** Whether headers are sent when the request is accepted, or with the first token. */
  readonly headersAtStart: boolean
  /** Whether `[DONE]` follows an error inside a stream. */
  readonly doneAfterError: boolean
  /** Whether `stream_options.continuous_usage_stats` puts usage into every chunk. */
  readonly continuousUsage: boolean
  /** Whether the last chunk tells how long each phase took. */
  readonly timings: boolean
}

export interface Dialect {
  readonly engine: EmulatedEngine
  readonly version: string
  /** What it says of itself in the `server` header; null when it sends none. */
  readonly serverHeader: string | null
  readonly routes: readonly Route[]
  /**
   * What every route but the emulator's own says while loading, or null when the engine takes
   * requests at once. `refuses`: nothing listens until the model is loaded.
   */
  readonly whileLoading: 'refuses' | Page | null
  /** Answers to all but these paths need the key. A `*` matches any rest. */
  readonly publicPaths: readonly string[]
  /** How long an idle connection is kept; 0 for ever. */
  readonly keepAliveTimeoutMs: number
  /** The most requests that may wait; null for no limit. */
  readonly waitingMax: number | null
  readonly stream: StreamHabits
  /** Whether a last assistant message is continued by itself, or only when flags ask for it. */
  readonly continuesPrefill: 'always' | 'when-asked'
  /** Whether Anthropic's API, which has no such flags, continues it too. */
  readonly continuesMessages: boolean
  /**
   * What becomes of thoughts in a message that is continued: they are gone on with, or end where
   * they stand, or are dropped, so that the model thinks again unless it is told not to.
   */
  readonly prefilledThoughts: 'gone-on-with' | 'ended' | 'dropped'
  /** What is wrong with how a request asks for its last message to be continued; null if nothing. */
  continuationMistake(body: Fields): string | null
  /**
   * Whether an answer repeats the prefill before its continuation, in one event where it streams,
   * unless the stream of a chat was asked for by flags.
   */
  readonly repeatsPrefill: boolean
  /** Whether a name that is not served is refused; otherwise whatever is loaded answers. */
  readonly refusesUnknownModel: boolean
  /** Whether a prompt that is too long is cut instead of refused. */
  readonly truncatesPrompt: boolean
  /** Whether a request must name a model; otherwise the first one served is meant. */
  readonly requiresModel: boolean
  /** Whether models load when they are first asked for, and leave when idle. */
  readonly loadsOnDemand: boolean
  /** The served name that a requested name means; null when it means none. */
  servedModel(requested: string, models: readonly string[]): string | null
  /** A failure in the engine's words, in the shape of the API that the path belongs to. */
  failurePage(failure: Failure, path: string): Page
  /** The error object inside a stream of the OpenAI API. */
  streamError(message: string): unknown
  /** Shapes that differ between engines for these tasks. */
  readonly shapes: {
    rerank(ranked: RankedAnswer): unknown
    score(scored: ScoredAnswer): unknown
    tokenize(tokens: readonly string[], contextTokens: number): unknown
  }
}

export interface RankedAnswer {
  readonly id: string
  readonly model: string
  readonly promptTokens: number
  readonly returnDocuments: boolean
  /** Best first. */
  readonly results: readonly {
    readonly index: number
    readonly document: string
    readonly score: number
  }[]
}

export interface ScoredAnswer {
  readonly id: string
  readonly model: string
  readonly createdSeconds: number
  readonly promptTokens: number
  readonly scores: readonly number[]
}

/** Where the OpenAI world has each task. */
export const usualPaths = {
  chat: ['/v1/chat/completions'],
  completion: ['/v1/completions'],
  responses: ['/v1/responses'],
  messages: ['/v1/messages'],
  embedding: ['/v1/embeddings'],
  rerank: ['/rerank', '/v1/rerank', '/v2/rerank'],
  score: ['/score', '/v1/score'],
  transcription: ['/v1/audio/transcriptions'],
  translation: ['/v1/audio/translations'],
  speech: ['/v1/audio/speech'],
  image: ['/v1/images/generations'],
  tokenize: ['/tokenize'],
} as const satisfies Partial<Record<Task, readonly string[]>>

export function taskRoutes(
  paths: Readonly<Partial<Record<EmulatedTask, readonly string[]>>>,
): Route[] {
  return (Object.keys(paths) as EmulatedTask[]).flatMap((task) =>
    (paths[task] ?? []).map((path): Route => ({ kind: 'task', path, task })),
  )
}

/** Most engines know a model by exactly its name. */
export function exactModel(requested: string, models: readonly string[]): string | null {
  return models.includes(requested) ? requested : null
}

/** A failure as the Anthropic API writes it, for engines that have `/v1/messages`. */
export function anthropicFailure(status: number, message: string): Page {
  const type =
    status === 404
      ? 'not_found_error'
      : status === 429
        ? 'rate_limit_error'
        : status === 401
          ? 'authentication_error'
          : status >= 500
            ? 'api_error'
            : 'invalid_request_error'
  return jsonPage(status, { type: 'error', error: { type, message } })
}
