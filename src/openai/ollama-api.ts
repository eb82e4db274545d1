/** Ollama's native chat, generate and embed, for engines that speak them themselves. */
import type { Api } from '#openai/api.ts'
import { ollamaChatContinuation } from '#openai/ollama-chat-continuation.ts'
import { ollamaStream, readOllamaUsage } from '#openai/ollama-stream.ts'
import { jsonObject } from '#std/json-object.ts'

const ollamaApi: Pick<
  Api,
  'body' | 'errorBody' | 'isErrorBody' | 'readUsage' | 'hasStreamOptions'
> = {
  body: 'json',
  errorBody: ({ message }) => ({ error: message }),
  isErrorBody: (text) => typeof jsonObject(text)?.['error'] === 'string',
  readUsage: readOllamaUsage,
  hasStreamOptions: false,
}

export const ollamaChat: Api = {
  ...ollamaApi,
  name: 'ollama-chat',
  paths: ['/api/chat'],
  stream: ollamaStream,
  streamsByDefault: true,
  continuation: ollamaChatContinuation,
}

export const ollamaGenerate: Api = {
  ...ollamaApi,
  name: 'ollama-generate',
  paths: ['/api/generate'],
  stream: ollamaStream,
  streamsByDefault: true,
}

export const ollamaEmbed: Api = {
  ...ollamaApi,
  name: 'ollama-embed',
  paths: ['/api/embed'],
  stream: null,
}
