import type { Api } from '#openai/api.ts'
import { choiceCount, promptCount } from '#openai/choices.ts'
import { completionContinuation } from '#openai/completion-continuation.ts'
import { openAiApi } from '#openai/openai-api.ts'
import { openAiStream } from '#openai/openai-stream.ts'

/** Text that goes on from a prompt. */
export const completions: Api = {
  ...openAiApi,
  name: 'completions',
  paths: ['/v1/completions', '/completions'],
  stream: openAiStream,
  hasStreamOptions: true,
  continuation: completionContinuation,
  choicesAsked: (field) => choiceCount(field('n')) * promptCount(field('prompt')),
}
