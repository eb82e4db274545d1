import type { Api } from '#openai/api.ts'
import { eventStream } from '#openai/event-stream.ts'
import { openAiApi } from '#openai/openai-api.ts'

/** Speech to text. */
export const transcriptions: Api = {
  ...openAiApi,
  name: 'transcriptions',
  paths: ['/v1/audio/transcriptions'],
  body: 'multipart',
  stream: eventStream,
}
