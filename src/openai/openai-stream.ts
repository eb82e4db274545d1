/** The stream of OpenAI's chat and completions: `data:` events, `[DONE]` at the end. */
import { openAiErrorBody } from '#openai/error.ts'
import { frameObject, type StreamShape } from '#openai/stream-shape.ts'
import { readUsage } from '#openai/usage.ts'

export const openAiStream: StreamShape = {
  framing: 'sse',
  endMarker: 'data: [DONE]\n\n',
  meaning(data) {
    if (data.trim() === '[DONE]') return 'end'
    const frame = frameObject(data)
    if (frame === null) return 'more'
    if (frame['error'] !== undefined && frame['error'] !== null) return 'error'
    const choices = frame['choices']
    if (!Array.isArray(choices)) return 'more'
    // With n > 1 each choice ends in an event of its own; the usage event comes after them all.
    if (choices.length === 0) return frame['usage'] ? 'complete' : 'more'
    return choices.every((choice) => typeof choice?.finish_reason === 'string')
      ? 'complete'
      : 'more'
  },
  errorFrame({ status, code, message, param }) {
    return `data: ${JSON.stringify(openAiErrorBody(status, message, code, param))}\n\n`
  },
  readUsage: (data) => readUsage(frameObject(data)?.['usage']),
}
