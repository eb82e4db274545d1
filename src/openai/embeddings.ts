import type { Api } from '#openai/api.ts'
import { openAiApi } from '#openai/openai-api.ts'

/** Vectors for texts. */
export const embeddings: Api = {
  ...openAiApi,
  name: 'embeddings',
  paths: ['/v1/embeddings', '/embeddings'],
  stream: null,
}
