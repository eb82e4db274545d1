import type { Api } from '#openai/api.ts'
import { eventStream } from '#openai/event-stream.ts'
import { openAiApi } from '#openai/openai-api.ts'

/** Speech in any language to English text. */
export const translations: Api = {
  ...openAiApi,
  name: 'translations',
  paths: ['/v1/audio/translations'],
  body: 'multipart',
  stream: eventStream,
}
