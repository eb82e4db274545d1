import { expect, test } from 'vitest'
import { openAiStream } from '#openai/openai-stream.ts'

const chunk = (...choices: object[]) => JSON.stringify({ model: 'm', choices })
const usage = { prompt_tokens: 11, completion_tokens: 2, total_tokens: 13 }

test.each([
  ['the end marker', 'end', '[DONE]'],
  ['the end marker with a blank', 'end', ' [DONE]'],
  ['a token', 'more', chunk({ index: 0, delta: { content: 'a' }, finish_reason: null })],
  ['a token of an engine that leaves finish_reason out', 'more', chunk({ index: 0, delta: {} })],
  ['a finish reason', 'choices-end', chunk({ index: 0, delta: {}, finish_reason: 'stop' })],
  ['an empty finish reason', 'choices-end', chunk({ index: 0, delta: {}, finish_reason: '' })],
  [
    'two choices of which one goes on',
    'more',
    chunk({ index: 0, finish_reason: 'stop' }, { index: 1, finish_reason: null }),
  ],
  ['a usage without choices', 'complete', JSON.stringify({ choices: [], usage })],
  ['no choices and no usage', 'more', JSON.stringify({ choices: [], usage: null })],
  ['an error', 'error', JSON.stringify({ error: { message: 'Compute error.' } })],
  ['an error that is null', 'more', JSON.stringify({ error: null, choices: [] })],
  ['no JSON', 'more', '{"choices":[{"finish_reason":"stop"'],
  ['a list', 'more', '[]'],
  ['a choice that is null', 'more', '{"choices":[null]}'],
])('%s means %s', (_what, meaning, data) => {
  expect(openAiStream.meaning(data)).toBe(meaning)
})

test.each([
  ['nothing', chunk({ index: 1, delta: { content: 'a' }, finish_reason: null }), []],
  ['one choice', chunk({ index: 1, delta: {}, finish_reason: 'stop' }), [1]],
  [
    'two at once',
    chunk({ index: 2, finish_reason: 'stop' }, { index: 0, finish_reason: 'length' }),
    [2, 0],
  ],
  [
    'one of two',
    chunk({ index: 0, finish_reason: null }, { index: 3, finish_reason: 'tool_calls' }),
    [3],
  ],
  ['one, with blanks', '{"choices": [{"index": 4, "finish_reason" : "stop"}]}', [4]],
  [
    'none by a word in a text',
    chunk({ index: 0, delta: { content: '"finish_reason":"stop"' } }),
    [],
  ],
  ['none by the end marker', '[DONE]', []],
])('a frame ends %s', (_what, data, indexes) => {
  expect(openAiStream.endedChoices?.(data)).toEqual(indexes)
})

test('a frame that cannot end a choice is not parsed', () => {
  const parse = JSON.parse
  let parsed = 0
  JSON.parse = (text, reviver) => {
    parsed++
    return parse(text, reviver)
  }
  try {
    openAiStream.endedChoices?.(chunk({ index: 0, delta: { content: 'a' }, finish_reason: null }))
  } finally {
    JSON.parse = parse
  }
  expect(parsed).toBe(0)
})

test.each([
  ['a word', chunk({ delta: { content: 'a' } }), true],
  ['a thought', chunk({ delta: { content: null, reasoning_content: 'a' } }), true],
  ['a tool call', chunk({ delta: { tool_calls: [{ index: 0 }] } }), true],
  ['a word of completions', chunk({ text: 'a', finish_reason: null }), true],
  ['a last word', chunk({ delta: { content: 'a' }, finish_reason: 'stop' }), true],
  ['a role', chunk({ delta: { role: 'assistant', content: '' } }), false],
  ['an end', chunk({ delta: {}, finish_reason: 'stop' }), false],
  ['a usage', JSON.stringify({ choices: [], usage }), false],
  ['the end marker', '[DONE]', false],
])('%s is content: %s is %s', (_what, data, isContent) => {
  expect(openAiStream.isContent(data)).toBe(isContent)
})

test('usage is read from the event that carries it, and from no other', () => {
  expect(openAiStream.readUsage(JSON.stringify({ choices: [], usage }))).toEqual({
    promptTokens: 11,
    completionTokens: 2,
    cachedTokens: null,
  })
  expect(openAiStream.readUsage(chunk({ index: 0 }))).toBeNull()
  expect(openAiStream.readUsage('[DONE]')).toBeNull()
})

test('an error is an event of its own in the nested form', () => {
  const frame = openAiStream.errorFrame({
    status: 502,
    code: 'stream_interrupted',
    message: 'It\nstopped.',
    param: null,
  })
  expect(frame).toMatch(/^data: .*\n\n$/)
  expect(JSON.parse(frame.slice('data: '.length))).toEqual({
    error: {
      message: 'It\nstopped.',
      type: 'server_error',
      param: null,
      code: 'stream_interrupted',
    },
  })
})
