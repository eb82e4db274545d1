/** What the APIs in OpenAI's own style share: their error body and where usage stands. */
import type { Api } from '#openai/api.ts'
import { isOpenAiErrorBody, openAiErrorBody } from '#openai/error.ts'
import { readUsage } from '#openai/usage.ts'

export const openAiApi: Pick<
  Api,
  'body' | 'errorBody' | 'isErrorBody' | 'readUsage' | 'hasStreamOptions'
> = {
  body: 'json',
  errorBody: ({ status, code, message, param }) => openAiErrorBody(status, message, code, param),
  isErrorBody: isOpenAiErrorBody,
  readUsage: (field) => readUsage(field('usage')),
  hasStreamOptions: false,
}
