import { expect, test } from 'vitest'
import {
  anthropicErrorBody,
  anthropicStream,
  isAnthropicErrorBody,
} from '#openai/anthropic-stream.ts'

test.each([
  ['message_start', 'more', { message: { usage: { input_tokens: 3 } } }],
  ['content_block_delta', 'more', { delta: { text: 'message_stop' } }],
  ['message_delta', 'complete', { delta: { stop_reason: 'end_turn' } }],
  ['message_delta', 'more', { delta: { stop_reason: null } }],
  ['ping', 'more', {}],
  ['message_stop', 'end', {}],
  ['error', 'error', { error: { type: 'overloaded_error', message: 'Overloaded' } }],
])('%s means %s', (type, meaning, more) => {
  expect(anthropicStream.meaning(JSON.stringify({ type, ...more }))).toBe(meaning)
})

test('usage is read from message_delta', () => {
  const event = { type: 'message_delta', usage: { input_tokens: 7, output_tokens: 5 } }
  expect(anthropicStream.readUsage(JSON.stringify(event))).toEqual({
    promptTokens: 7,
    completionTokens: 5,
    cachedTokens: null,
  })
  expect(anthropicStream.readUsage('{"type":"ping"}')).toBeNull()
  const message = { usage: { input_tokens: 11, output_tokens: 1 } }
  const begins = JSON.stringify({ type: 'message_start', message })
  expect(anthropicStream.readUsage(begins)).toMatchObject({ promptTokens: 11 })
})

test.each([
  [401, 'authentication_error'],
  [403, 'permission_error'],
  [404, 'not_found_error'],
  [413, 'request_too_large'],
  [429, 'rate_limit_error'],
  [503, 'overloaded_error'],
  [502, 'api_error'],
  [400, 'invalid_request_error'],
])('status %i is the error type %s', (status, type) => {
  const error = { status, code: 'any', message: 'Words.', param: null }
  const body = { type: 'error', error: { type, message: 'Words.' } }
  expect(anthropicErrorBody(error)).toEqual(body)
  expect(anthropicStream.errorFrame(error)).toBe(`event: error\ndata: ${JSON.stringify(body)}\n\n`)
  expect(isAnthropicErrorBody(JSON.stringify(body))).toBe(true)
})

test.each([
  '{"error":{"message":"no","type":"BadRequestError"}}',
  '{"error":"no"}',
  '{"type":"error","error":"no"}',
  '{"type":"error"}',
  'no',
])('%s is not in its shape', (body) => {
  expect(isAnthropicErrorBody(body)).toBe(false)
})
