import type { Api } from '#openai/api.ts'
import { eventStream } from '#openai/event-stream.ts'
import { openAiApi } from '#openai/openai-api.ts'

/** Text to speech: the answer is sound, or events that carry it. */
export const speech: Api = {
  ...openAiApi,
  name: 'speech',
  paths: ['/v1/audio/speech'],
  stream: eventStream,
}
