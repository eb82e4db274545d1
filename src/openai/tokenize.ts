import type { Api } from '#openai/api.ts'
import { openAiApi } from '#openai/openai-api.ts'

/** The tokens of a text, as the engine of the model counts them. */
export const tokenize: Api = {
  ...openAiApi,
  name: 'tokenize',
  paths: ['/tokenize', '/v1/tokenize'],
  stream: null,
}
