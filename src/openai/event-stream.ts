/** Event streams without a fixed end, as of transcription and images: a clean close ends them. */
import { openAiStream } from '#openai/openai-stream.ts'
import { frameObject, type StreamShape } from '#openai/stream-shape.ts'

export const eventStream: StreamShape = {
  ...openAiStream,
  endMarker: null,
  meaning: (data) => (frameObject(data)?.['error'] ? 'error' : 'complete'),
}
