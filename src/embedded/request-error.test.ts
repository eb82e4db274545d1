import { expect, test } from 'vitest'
import { chatEngine } from '#embedded/test-chat.ts'

const { post } = chatEngine()

const hello = [{ role: 'user', content: 'Hello' }]
test.each([
  { body: {}, param: 'messages', says: 'at least one message' },
  { body: { messages: [] }, param: 'messages', says: 'at least one message' },
  { body: { messages: [7] }, param: 'messages', says: 'messages[0] is 7' },
  {
    body: { messages: [{ role: 'wizard', content: '' }] },
    param: 'messages',
    says: 'messages[0].role is "wizard"; it must be one of system, developer, user, assistant',
  },
  { body: { messages: [{ role: 'tool', content: '' }] }, param: 'messages', says: 'tools' },
  {
    body: { messages: [{ role: 'assistant', content: null, tool_calls: [{}] }] },
    param: 'messages',
    says: 'does not support tools',
  },
  {
    body: { messages: [{ role: 'user', content: null }] },
    param: 'messages',
    says: 'messages[0].content is null',
  },
  {
    body: { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] },
    param: 'messages',
    says: 'messages[0].content[0] has the type "image_url"; the embedded engine reads only text',
  },
  {
    body: { messages: hello, continue_final_message: true },
    param: 'continue_final_message',
    says: 'must have the role assistant',
  },
  { body: { messages: hello, tools: [{}] }, param: 'tools', says: 'does not support tools' },
  { body: { messages: hello, functions: [{}] }, param: 'functions', says: 'tools' },
  { body: { messages: hello, n: 2 }, param: 'n', says: 'n is 2' },
  { body: { messages: hello, n: 0 }, param: 'n', says: 'from 1 to 128' },
  { body: { messages: hello, temperature: 2.1 }, param: 'temperature', says: 'from 0 to 2' },
  { body: { messages: hello, temperature: '1' }, param: 'temperature', says: 'is "1"' },
  { body: { messages: hello, top_p: -1 }, param: 'top_p', says: 'from 0 to 1' },
  { body: { messages: hello, top_k: 1.5 }, param: 'top_k', says: 'an integer of at least -1' },
  { body: { messages: hello, min_p: 3 }, param: 'min_p', says: 'from 0 to 1' },
  { body: { messages: hello, max_tokens: 0 }, param: 'max_tokens', says: 'of at least 1' },
  { body: { messages: hello, seed: 'x' }, param: 'seed', says: 'an integer' },
  { body: { messages: [{ role: 'constructor', content: 'x' }] }, param: 'messages', says: 'role' },
  { body: { messages: [{ role: '__proto__', content: 'x' }] }, param: 'messages', says: 'role' },
  {
    body: {
      messages: hello,
      response_format: {
        type: 'json_schema',
        json_schema: { schema: { enum: Array.from({ length: 10_000 }, String) } },
      },
    },
    param: 'response_format',
    says: 'at most 32768 are allowed',
  },
  { body: { messages: hello, stop: '' }, param: 'stop', says: 'not empty' },
  { body: { messages: hello, stop: ['a', 'b', 'c', 'd', 'e'] }, param: 'stop', says: 'up to 4' },
  {
    body: { messages: hello, frequency_penalty: 3 },
    param: 'frequency_penalty',
    says: 'from -2 to 2',
  },
  { body: { messages: hello, presence_penalty: -3 }, param: 'presence_penalty', says: '-2 to 2' },
  { body: { messages: hello, repeat_penalty: 0 }, param: 'repeat_penalty', says: 'from 0.01' },
  { body: { messages: hello, top_logprobs: 3 }, param: 'top_logprobs', says: 'needs logprobs' },
  {
    body: { messages: hello, logprobs: true, top_logprobs: 21 },
    param: 'top_logprobs',
    says: 'from 0 to 20',
  },
  { body: { messages: hello, logprobs: 3 }, param: 'logprobs', says: 'true or false' },
  { body: { messages: hello, logit_bias: { a: 1 } }, param: 'logit_bias', says: 'a token id' },
  { body: { messages: hello, logit_bias: { 9: 101 } }, param: 'logit_bias', says: '-100 to 100' },
  { body: { messages: hello, logit_bias: { 5000: 1 } }, param: 'logit_bias', says: '0 to 1023' },
  { body: { messages: hello, logit_bias: { 1023: 1 } }, param: 'logit_bias', says: 'ends an' },
  {
    body: { messages: hello, response_format: { type: 'xml' } },
    param: 'response_format',
    says: 'text, json_object or json_schema',
  },
  {
    body: { messages: hello, response_format: { type: 'json_schema' } },
    param: 'response_format',
    says: 'must be a JSON Schema object',
  },
  { body: { messages: hello, stream: 1 }, param: 'stream', says: 'true or false' },
  {
    body: { messages: hello, stream_options: 1 },
    param: 'stream_options',
    says: 'must be an object',
  },
])('$body is a 400 that names $param', async ({ body, param, says }) => {
  const response = await post(body)
  expect(response.status).toBe(400)
  const { error } = (await response.json()) as { readonly error: Readonly<Record<string, string>> }
  expect(error).toMatchObject({ type: 'invalid_request_error', param })
  expect(error['message']).toContain(says)
})

test.each([false, true])(
  'a prompt that is too long is a 400 with the numbers (stream %s)',
  async (stream) => {
    const messages = [{ role: 'user', content: 'word '.repeat(1200) }]
    const response = await post({ messages, stream })
    expect(response.status).toBe(400)
    const { error } = (await response.json()) as {
      readonly error: Readonly<Record<string, unknown>>
    }
    expect(error).toMatchObject({
      type: 'exceed_context_size_error',
      code: 'context_length_exceeded',
      n_ctx: 1023,
    })
    expect(error['n_prompt_tokens']).toBeGreaterThan(1200)
    expect(error['message']).toMatch(/The prompt has \d+ tokens; at most 1023 fit/)
  },
)
