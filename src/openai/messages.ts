import {
  anthropicErrorBody,
  anthropicStream,
  isAnthropicErrorBody,
} from '#openai/anthropic-stream.ts'
import type { Api } from '#openai/api.ts'
import { messageContinuation } from '#openai/message-continuation.ts'
import { readUsage } from '#openai/usage.ts'

/** Anthropic's messages, for engines that speak them themselves. */
export const messages: Api = {
  name: 'messages',
  paths: ['/v1/messages'],
  body: 'json',
  stream: anthropicStream,
  errorBody: anthropicErrorBody,
  isErrorBody: isAnthropicErrorBody,
  readUsage: (field) => readUsage(field('usage')),
  hasStreamOptions: false,
  continuation: messageContinuation,
}
