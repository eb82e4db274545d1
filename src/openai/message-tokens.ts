import { anthropicErrorBody, isAnthropicErrorBody } from '#openai/anthropic-stream.ts'
import type { Api } from '#openai/api.ts'

/** The tokens of a message of Anthropic's API before it is asked for, as its engine counts them. */
export const messageTokens: Api = {
  name: 'count-tokens',
  paths: ['/v1/messages/count_tokens'],
  body: 'json',
  stream: null,
  errorBody: anthropicErrorBody,
  isErrorBody: isAnthropicErrorBody,
  readUsage: () => null,
  hasStreamOptions: false,
}
