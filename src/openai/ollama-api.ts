/** Ollama's native chat, generate and embed, for engines that speak them themselves. */
import type { Api } from '#openai/api.ts'
import { ollamaStream, readOllamaUsage } from '#openai/ollama-stream.ts'

const ollamaApi: Pick<Api, 'body' | 'errorBody' | 'readUsage' | 'hasStreamOptions'> = {
  body: 'json',
  errorBody: ({ message }) => ({ error: message }),
  readUsage: readOllamaUsage,
  hasStreamOptions: false,
}

export const ollamaChat: Api = {
  ...ollamaApi,
  name: 'ollama-chat',
  paths: ['/api/chat'],
  stream: ollamaStream,
  streamsByDefault: true,
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
