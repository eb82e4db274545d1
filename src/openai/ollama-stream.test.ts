import { expect, test } from 'vitest'
import { ollamaChat } from '#openai/ollama-api.ts'
import { ollamaStream, readOllamaUsage } from '#openai/ollama-stream.ts'

test.each([
  ['a word of a chat', { message: { role: 'assistant', content: 'a' }, done: false }, true],
  ['a thought', { message: { role: 'assistant', content: '', thinking: 'a' } }, true],
  ['a word', { response: 'a', done: false }, true],
  ['the last line', { message: { role: 'assistant', content: '' }, done: true }, false],
])('%s is content: %j is %s', (_what, line, isContent) => {
  expect(ollamaStream.isContent(JSON.stringify(line))).toBe(isContent)
})

test.each([
  ['{"message":{"content":"a"},"done":false}', 'more'],
  ['{"message":{"content":""},"done":true,"eval_count":5}', 'end'],
  ['{"done":"true"}', 'more'],
  ['{"error":"model runner has stopped"}', 'error'],
  ['{"error":"", "done":true}', 'error'],
  ['', 'more'],
])('the line %s means %s', (line, meaning) => {
  expect(ollamaStream.meaning(line)).toBe(meaning)
})

test('usage is read from the counts, of which one may be left out', () => {
  const counts = new Map([
    ['prompt_eval_count', 11],
    ['eval_count', 3],
  ])
  expect(readOllamaUsage((name) => counts.get(name))).toEqual({
    promptTokens: 11,
    completionTokens: 3,
    cachedTokens: null,
  })
  // Ollama leaves prompt_eval_count out when the prompt was cached.
  expect(ollamaStream.readUsage('{"done":true,"eval_count":3}')).toEqual({
    promptTokens: 0,
    completionTokens: 3,
    cachedTokens: null,
  })
  expect(ollamaStream.readUsage('{"done":false}')).toBeNull()
  expect(ollamaStream.readUsage('{"done":true,"eval_count":1e999}')).toBeNull()
  expect(ollamaStream.readUsage('{"done":true,"eval_count":-7}')).toBeNull()
  expect(ollamaStream.readUsage('no JSON')).toBeNull()
})

test('an error is a line of its own, in the shape of its error bodies', () => {
  const frame = ollamaStream.errorFrame({ status: 502, code: 'x', message: 'a\nb', param: null })
  expect(frame).toBe('{"error":"a\\nb"}\n')
  expect(ollamaChat.isErrorBody(frame)).toBe(true)
  expect(ollamaChat.isErrorBody('{"error":{"message":"no"}}')).toBe(false)
})
