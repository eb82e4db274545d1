import type { Api } from '#openai/api.ts'
import { openAiApi } from '#openai/openai-api.ts'

/** Documents ordered by how well they answer a query, in the shape of Cohere and Jina. */
export const rerank: Api = {
  ...openAiApi,
  name: 'rerank',
  paths: ['/v1/rerank', '/rerank', '/v2/rerank'],
  stream: null,
}
