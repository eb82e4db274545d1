import type { Api } from '#openai/api.ts'
import { openAiApi } from '#openai/openai-api.ts'
import { responsesStream } from '#openai/responses-stream.ts'

/** OpenAI's Responses. */
export const responses: Api = {
  ...openAiApi,
  name: 'responses',
  paths: ['/v1/responses', '/responses'],
  stream: responsesStream,
}
