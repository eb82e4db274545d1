/** Event streams without a fixed end, as of transcription and images: a clean close ends them. */
import { openAiStream } from '#openai/openai-stream.ts'
import type { StreamShape } from '#openai/stream-shape.ts'
import { jsonObject } from '#std/json-object.ts'

export const eventStream: StreamShape = {
  framing: 'sse',
  endMarker: null,
  meaning: (data) => (jsonObject(data)?.['error'] ? 'error' : 'complete'),
  isContent: () => false,
  errorFrame: openAiStream.errorFrame,
  readUsage: openAiStream.readUsage,
}
