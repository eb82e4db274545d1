/**
 * The embedded engine: llama.cpp behind an OpenAI-compatible HTTP server. It listens at once and
 * says that it is loading, as llama-server does, until the model can answer.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as about from '#embedded/about.ts'
import { answerChatCompletion } from '#embedded/chat-completions.ts'
import { answerCompletion } from '#embedded/completions.ts'
import { createEngine, type EmbeddedEngine } from '#embedded/embedded-engine.ts'
import { answerEmbeddings } from '#embedded/embeddings.ts'
import type { Exchange } from '#embedded/exchange.ts'
import { modelNameOfFile } from '#embedded/gguf-file.ts'
import type { EmbeddedKvCacheType } from '#embedded/loaded-model.ts'
import { RequestError } from '#embedded/request-error.ts'
import { answerDetokenize, answerTokenize } from '#embedded/tokenize.ts'
import type { Api } from '#openai/api.ts'
import { messages } from '#openai/messages.ts'
import { ollamaChat, ollamaEmbed, ollamaGenerate } from '#openai/ollama-api.ts'
import { sendEvent, sendJson } from '#std/http-json.ts'

export interface EmbeddedServerOptions {
  readonly modelPath: string
  /** What clients call the model: the name of the file without its ending when left out. */
  readonly modelName?: string | undefined
  /** Default 127.0.0.1. */
  readonly host?: string | undefined
  /** 0, the default, takes any free port. */
  readonly port?: number | undefined
  /** Context of each slot: what the model was made for, or what fits, when left out. */
  readonly contextTokens?: number | undefined
  /** Requests that are answered at once; further ones wait. Default 4. */
  readonly slots?: number | undefined
  readonly threads?: number | undefined
  /** Layers on the GPU: as many as fit when left out. */
  readonly gpuLayers?: number | undefined
  /** Numbers that keys and values are kept in: 16 bit when left out. */
  readonly kvCacheType?: EmbeddedKvCacheType | undefined
  /** `false` uses the CPU even when a GPU build is there. */
  readonly variant?: 'auto' | false | undefined
  /** A folder made by `installVariant`. */
  readonly engineDirectory?: string | undefined
  /** When set, every route but `/health` wants it as a bearer token. */
  readonly apiKey?: string | undefined
  /** Receives warnings of the engine. Default: nothing. */
  readonly warn?: ((message: string) => void) | undefined
}

export interface EmbeddedServer {
  readonly url: string
  /** Resolves when the model can answer; rejects with one clear sentence when it cannot be loaded. */
  readonly ready: Promise<EmbeddedEngine>
  /** Cuts what is running, frees the model and the port. */
  close(): Promise<void>
}

export async function startEmbeddedServer(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const { modelPath, modelName, apiKey, warn = () => {} } = options
  const closing = new AbortController()
  const running = new Set<Promise<void>>()
  let engine: EmbeddedEngine | undefined
  let state = 'Loading model' // llama-server's words; other programs wait when they read them

  const server = createServer((request, response) => {
    const answered = answer(request, response).finally(() => running.delete(answered))
    running.add(answered)
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (engine === undefined) {
      const error = { message: state, type: 'unavailable_error', code: 503 }
      sendJson(response, 503, { error })
      return
    }
    const gone = new AbortController()
    response.on('close', () => {
      if (!response.writableFinished) gone.abort(new Error('The client has gone.'))
    })
    const signal = AbortSignal.any([gone.signal, closing.signal])
    try {
      if (apiKey !== undefined) checkApiKey(request, apiKey)
      await route({ engine, request, response, signal })
    } catch (error) {
      const why = closing.signal.aborted ? stopping() : error
      await answerError({ request, response }, why, gone.signal.aborted, warn)
    }
  }

  await listen(server, options.port ?? 0, options.host ?? '127.0.0.1')
  const ready = createEngine(modelName ?? modelNameOfFile(modelPath), {
    modelPath,
    slots: options.slots ?? 4,
    contextTokens: options.contextTokens,
    threads: options.threads,
    gpuLayers: options.gpuLayers,
    kvCacheType: options.kvCacheType,
    variant: options.variant ?? 'auto',
    engineDirectory: options.engineDirectory,
    warn,
  }).then((created) => {
    engine = created
    return created
  })
  ready.catch((error: unknown) => {
    state = error instanceof Error ? error.message : String(error)
  })

  return {
    url: urlOf(server),
    ready,
    close: async () => {
      closing.abort(new Error('The server is closing.'))
      server.close()
      server.closeAllConnections()
      await Promise.allSettled([...running, ready])
      await engine?.loaded.dispose()
    },
  }
}

type Handler = (exchange: Exchange) => void | Promise<void>

const routes: Readonly<Record<string, { readonly method: 'GET' | 'POST'; readonly run: Handler }>> =
  {
    '/v1/chat/completions': { method: 'POST', run: answerChatCompletion },
    '/v1/completions': { method: 'POST', run: answerCompletion },
    '/v1/embeddings': { method: 'POST', run: answerEmbeddings },
    '/v1/models': { method: 'GET', run: about.answerModels },
    '/tokenize': { method: 'POST', run: answerTokenize },
    '/detokenize': { method: 'POST', run: answerDetokenize },
    '/health': { method: 'GET', run: about.answerHealth },
    '/version': { method: 'GET', run: about.answerVersion },
    '/metrics': { method: 'GET', run: about.answerMetrics },
    '/slots': { method: 'GET', run: about.answerSlots },
  }

/** What a client may ask the model. */
const spoken = Object.keys(routes)
  .filter((path) => path.startsWith('/v1/') && routes[path]?.method === 'POST')
  .join(', ')

/** APIs whose clients read errors in another shape than OpenAI's, and are refused here. */
const otherApis: readonly Api[] = [messages, ollamaChat, ollamaGenerate, ollamaEmbed]

/** The error in the shape that clients of this path read. */
function errorBody(path: string, error: RequestError): unknown {
  const api = otherApis.find(({ paths }) => paths.includes(path))
  const { status, code, message, param } = error
  return api?.errorBody({ status, code: code ?? 'engine_failed', message, param }) ?? error.toBody()
}
const oneModel = '/v1/models/'

async function route(exchange: Exchange): Promise<void> {
  const { request } = exchange
  const path = pathOf(request)
  const found = Object.hasOwn(routes, path) ? routes[path] : modelRoute(path)
  if (found === undefined) {
    throw new RequestError(
      404,
      `${exchange.engine.modelName} does not speak ${path.slice(0, 200)}; it takes ${spoken}.`,
      { code: 'not_found' },
    )
  }
  if (request.method !== found.method) {
    exchange.response.setHeader('allow', found.method)
    throw new RequestError(405, `${path} takes ${found.method}, not ${request.method}.`, {
      code: 'method_not_allowed',
    })
  }
  await found.run(exchange)
}

function modelRoute(path: string): { readonly method: 'GET'; readonly run: Handler } | undefined {
  if (!path.startsWith(oneModel) || path === oneModel) return undefined
  const name = path.slice(oneModel.length)
  return { method: 'GET', run: (exchange) => about.answerModel(exchange, decoded(name)) }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text // a stray percent sign: no model has this name, and the answer says so
  }
}

function pathOf({ url = '/' }: IncomingMessage): string {
  const query = url.indexOf('?')
  return query === -1 ? url : url.slice(0, query)
}

/** Compares digests, so that the time taken says nothing about the key. */
function checkApiKey(request: IncomingMessage, apiKey: string): void {
  if (pathOf(request) === '/health') return
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  const given = request.headers.authorization ?? ''
  if (timingSafeEqual(digest(given), digest(`Bearer ${apiKey}`))) return
  throw new RequestError(401, 'The API key is missing or wrong; send it as a bearer token.', {
    code: 'invalid_api_key',
  })
}

/**
 * Before the first byte a failure is an HTTP status. In a stream it is an event, and the stream
 * ends without `[DONE]`, so that nobody takes the answer for whole.
 */
async function answerError(
  { request, response }: Pick<Exchange, 'request' | 'response'>,
  error: unknown,
  clientGone: boolean,
  warn: (message: string) => void,
): Promise<void> {
  if (clientGone || response.destroyed) return
  const known = error instanceof RequestError ? error : failed(error, warn)
  if (response.headersSent) {
    await sendEvent(response, known.toBody())
    response.end()
    return
  }
  // The rest of a refused body would otherwise be read as the next request.
  const headers: Record<string, string> = known.status === 413 ? { connection: 'close' } : {}
  sendJson(response, known.status, errorBody(pathOf(request), known), headers)
}

/** Nothing has failed: what was cut is told as that, and to nobody else. */
function stopping(): RequestError {
  return new RequestError(503, 'The engine is stopping.', { code: 'stopping' })
}

function failed(error: unknown, warn: (message: string) => void): RequestError {
  const words = error instanceof Error ? error.message : String(error)
  warn(error instanceof Error ? (error.stack ?? words) : words)
  return new RequestError(500, `The engine failed: ${words}`, { code: 'engine_failed' })
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'the port is taken' : cause.message
      reject(new Error(`The engine cannot listen on ${host}:${port}: ${why}.`, { cause }))
    })
    server.listen(port, host, resolve)
  })
}

function urlOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}
