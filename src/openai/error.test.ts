import { expect, test } from 'vitest'
import { chatCompletions } from '#openai/chat-completions.ts'
import { isOpenAiErrorBody, openAiErrorBody } from '#openai/error.ts'

test.each([
  [400, 'invalid_request_error'],
  [401, 'authentication_error'],
  [403, 'permission_error'],
  [404, 'not_found_error'],
  [429, 'rate_limit_error'],
  [500, 'server_error'],
  [503, 'server_error'],
])('status %i is the error type %s, in a body of our own shape', (status, type) => {
  const body = openAiErrorBody(status, 'Words.', 'a_code', 'model')
  expect(body).toEqual({ error: { message: 'Words.', type, param: 'model', code: 'a_code' } })
  expect(chatCompletions.isErrorBody(JSON.stringify(body))).toBe(true)
})

test.each([
  ['the flat form', '{"object":"error","message":"no","code":400}'],
  ["Ollama's", '{"error":"no"}'],
  ["Anthropic's", '{"type":"error","error":{"type":"x","message":"no"}}'],
  ['an error without words', '{"error":{"code":400}}'],
  ['a list', '[{"error":{"message":"no"}}]'],
  ['no JSON', 'Internal Server Error'],
  ['nothing', ''],
])('%s is not in its shape', (_what, body) => {
  expect(isOpenAiErrorBody(body)).toBe(false)
})
