import type { Api } from '#openai/api.ts'
import { eventStream } from '#openai/event-stream.ts'
import { openAiApi } from '#openai/openai-api.ts'

/** Text to pictures. */
export const images: Api = {
  ...openAiApi,
  name: 'images',
  paths: ['/v1/images/generations'],
  stream: eventStream,
}
