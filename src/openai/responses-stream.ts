/** The stream of OpenAI's Responses: named events, the last one tells how it ended. */
import type { StreamShape } from '#openai/stream-shape.ts'
import { readUsage } from '#openai/usage.ts'
import { asObject, jsonObject } from '#std/json-object.ts'

export const responsesStream: StreamShape = {
  framing: 'sse',
  endMarker: null,
  meaning(data) {
    if (data.trim() === '[DONE]') return 'end'
    switch (jsonObject(data)?.['type']) {
      case 'response.completed':
      case 'response.incomplete':
      case 'response.cancelled':
        return 'end'
      case 'response.failed':
      case 'error':
        return 'error'
      default:
        return 'more'
    }
  },
  errorFrame({ code, message, param }) {
    const event = { type: 'error', code, message, param, sequence_number: null }
    return `event: error\ndata: ${JSON.stringify(event)}\n\n`
  },
  isContent(data) {
    const type = jsonObject(data)?.['type']
    return typeof type === 'string' && type.endsWith('.delta')
  },
  readUsage(data) {
    return readUsage(asObject(jsonObject(data)?.['response'])?.['usage'])
  },
}
