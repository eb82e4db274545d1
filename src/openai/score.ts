import type { Api } from '#openai/api.ts'
import { openAiApi } from '#openai/openai-api.ts'

/** How alike two texts are, as vLLM has it. */
export const score: Api = {
  ...openAiApi,
  name: 'score',
  paths: ['/v1/score', '/score'],
  stream: null,
}
