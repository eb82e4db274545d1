import { expect, test } from 'vitest'
import { responsesStream } from '#openai/responses-stream.ts'

test.each([
  ['response.created', 'more'],
  ['response.in_progress', 'more'],
  ['response.output_text.delta', 'more'],
  ['response.output_text.done', 'more'],
  ['response.completed', 'end'],
  ['response.incomplete', 'end'],
  ['response.cancelled', 'end'],
  ['response.failed', 'error'],
  ['error', 'error'],
])('%s means %s', (type, meaning) => {
  expect(responsesStream.meaning(JSON.stringify({ type }))).toBe(meaning)
})

test('pieces of the answer are its deltas', () => {
  const isContent = (type: string) => responsesStream.isContent(JSON.stringify({ type }))
  expect(isContent('response.output_text.delta')).toBe(true)
  expect(isContent('response.function_call_arguments.delta')).toBe(true)
  expect(isContent('response.created')).toBe(false)
  expect(isContent('response.output_text.done')).toBe(false)
})

test('an end marker, which some engines send, is the end', () => {
  expect(responsesStream.meaning('[DONE]')).toBe('end')
})

test('usage is read from the response that an event carries', () => {
  const response = { usage: { input_tokens: 4, output_tokens: 9, total_tokens: 13 } }
  const read = (event: unknown) => responsesStream.readUsage(JSON.stringify(event))
  expect(read({ type: 'response.completed', response })).toEqual({
    promptTokens: 4,
    completionTokens: 9,
    cachedTokens: null,
  })
  expect(read({ type: 'response.created', response: { usage: null } })).toBeNull()
  expect(read({ type: 'response.output_text.delta', delta: 'a' })).toBeNull()
  expect(read({ type: 'response.completed', response: [] })).toBeNull()
})

test('an error is an event of its own', () => {
  const error = { status: 502, code: 'stream_interrupted', message: 'It stopped.', param: null }
  const [name, data] = responsesStream.errorFrame(error).trimEnd().split('\n')
  expect(name).toBe('event: error')
  expect(JSON.parse(data?.slice('data: '.length) ?? '')).toMatchObject({
    type: 'error',
    code: 'stream_interrupted',
    message: 'It stopped.',
  })
})
