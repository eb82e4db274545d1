/** Anthropic's messages, which several engines speak: their errors and their stream. */
import type { StreamShape, WireError } from '#openai/stream-shape.ts'
import { readUsage } from '#openai/usage.ts'
import { asObject, jsonObject } from '#std/json-object.ts'

export function anthropicErrorBody({ status, message }: WireError): unknown {
  return { type: 'error', error: { type: anthropicErrorType(status), message } }
}

/** Whether an error body is in Anthropic's shape already. */
export function isAnthropicErrorBody(text: string): boolean {
  const body = jsonObject(text)
  return body?.['type'] === 'error' && typeof asObject(body['error'])?.['message'] === 'string'
}

function anthropicErrorType(status: number): string {
  if (status === 401) return 'authentication_error'
  if (status === 403) return 'permission_error'
  if (status === 404) return 'not_found_error'
  if (status === 413) return 'request_too_large'
  if (status === 429) return 'rate_limit_error'
  if (status === 503) return 'overloaded_error'
  if (status >= 500) return 'api_error'
  return 'invalid_request_error'
}

export const anthropicStream: StreamShape = {
  framing: 'sse',
  endMarker: 'event: message_stop\ndata: {"type":"message_stop"}\n\n',
  meaning(data) {
    const event = jsonObject(data)
    switch (event?.['type']) {
      case 'message_stop':
        return 'end'
      case 'message_delta':
        return typeof asObject(event['delta'])?.['stop_reason'] === 'string' ? 'complete' : 'more'
      case 'error':
        return 'error'
      default:
        return 'more'
    }
  },
  errorFrame(error) {
    return `event: error\ndata: ${JSON.stringify(anthropicErrorBody(error))}\n\n`
  },
  isContent: (data) => jsonObject(data)?.['type'] === 'content_block_delta',
  /** The prompt is told with the message that begins, the answer with the one that ends. */
  readUsage(data) {
    const event = jsonObject(data)
    return readUsage(event?.['usage'] ?? asObject(event?.['message'])?.['usage'])
  },
}
