import type { Api } from '#openai/api.ts'
import { chatContinuation } from '#openai/chat-continuation.ts'
import { choiceCount } from '#openai/choices.ts'
import { openAiApi } from '#openai/openai-api.ts'
import { openAiStream } from '#openai/openai-stream.ts'

/** Chat. */
export const chatCompletions: Api = {
  ...openAiApi,
  name: 'chat-completions',
  paths: ['/v1/chat/completions', '/chat/completions'],
  stream: openAiStream,
  hasStreamOptions: true,
  continuation: chatContinuation,
  choicesAsked: (field) => choiceCount(field('n')),
}
