import { expect, test } from 'vitest'
import { openAiStream } from '#openai/openai-stream.ts'

const chunk = (...choices: object[]) => JSON.stringify({ model: 'm', choices })
const usage = { prompt_tokens: 11, completion_tokens: 2, total_tokens: 13 }

test.each([
  ['the end marker', '[DONE]', 'end'],
  ['the end marker with a blank', ' [DONE]', 'end'],
  ['a token', chunk({ index: 0, delta: { content: 'a' }, finish_reason: null }), 'more'],
  ['a token of an engine that leaves finish_reason out', chunk({ index: 0, delta: {} }), 'more'],
  ['a finish reason', chunk({ index: 0, delta: {}, finish_reason: 'stop' }), 'choices-end'],
  ['an empty finish reason', chunk({ index: 0, delta: {}, finish_reason: '' }), 'choices-end'],
  [
    'two choices of which one goes on',
    chunk({ index: 0, finish_reason: 'stop' }, { index: 1, finish_reason: null }),
    'more',
  ],
  ['a usage without choices', JSON.stringify({ choices: [], usage }), 'complete'],
  ['no choices and no usage', JSON.stringify({ choices: [], usage: null }), 'more'],
  ['an error', JSON.stringify({ error: { message: 'Compute error.' } }), 'error'],
  ['an error that is null', JSON.stringify({ error: null, choices: [] }), 'more'],
  ['no JSON', '{"choices":[{"finish_reason":"stop"', 'more'],
  ['a list', '[]', 'more'],
  ['a choice that is null', '{"choices":[null]}', 'more'],
])('%s means %3$s', (_what, data, meaning) => {
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

test('usage is read from the event that carries it, and from no other', () => {
  expect(openAiStream.readUsage(JSON.stringify({ choices: [], usage }))).toEqual({
    promptTokens: 11,
    completionTokens: 2,
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
