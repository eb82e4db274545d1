import { expect, test } from 'vitest'
import { chatContinuation } from '#openai/chat-continuation.ts'
import { spliceBytes } from '#std/splice-bytes.ts'

const said = { text: 'Once "upon', tokens: 3 }
const messages = [{ role: 'user', content: 'Tell me.' }]
const bodyOf = (fields: object = {}) => Buffer.from(JSON.stringify({ messages, ...fields }))
const frameOf = (delta: object, more: object = {}) =>
  JSON.stringify({ id: 'second', created: 2, choices: [{ index: 0, delta, ...more }] })

test.each([
  ['words', { content: 'a' }, { text: 'a', isWords: true, isEnd: false }],
  ['a role', { role: 'assistant', content: '' }, { text: '', isWords: true, isEnd: false }],
  [
    'a thought',
    { content: null, reasoning_content: 'a' },
    { text: '', isWords: false, isEnd: false },
  ],
  ['no thought', { content: 'a', reasoning: null }, { text: 'a', isWords: true, isEnd: false }],
  ['a tool call', { tool_calls: [{ index: 0 }] }, { text: '', isWords: false, isEnd: false }],
  ['a refusal', { refusal: 'No.' }, { text: '', isWords: false, isEnd: false }],
])('a frame with %s says what it adds: %j', (_what, delta, part) => {
  expect(chatContinuation.partOf(frameOf(delta))).toEqual(part)
})

test('a frame with a reason to finish says that the answer is whole', () => {
  const ended = frameOf({}, { finish_reason: 'stop' })
  expect(chatContinuation.partOf(ended)).toEqual({ text: '', isWords: true, isEnd: true })
})

test.each([
  [{}, true],
  [{ tools: [{ type: 'function' }], tool_choice: 'auto' }, true],
  [{ tool_choice: 'required' }, false],
  [{ tool_choice: { type: 'function' } }, false],
  [{ response_format: { type: 'text' } }, true],
  [{ response_format: { type: 'json_object' } }, false],
  [{ guided_regex: 'a+' }, false],
  [{ grammar: 'root ::= "a"' }, false],
  [{ messages: [...messages, { role: 'assistant', content: 'Well,' }] }, false],
  [{ continue_final_message: true }, false],
  [{ echo: true }, false],
  [{ messages: [] }, false],
  [{ messages: 'none' }, false],
])('whether a chat with %j can go on elsewhere is %s', (fields, fits) => {
  expect(chatContinuation.fits(bodyOf(fields))).toBe(fits)
})

test('the rest is asked for behind what was said, with what the engine wants and what is left of the limits', () => {
  const body = bodyOf({ max_tokens: 10, max_completion_tokens: 2, temperature: 1 })
  const fields = { add_generation_prompt: false }
  const splices = chatContinuation.askForRest(body, said, fields)
  const asked = spliceBytes(
    body,
    splices.toSorted((one, other) => one.start - other.start),
  )
  expect(JSON.parse(String(asked))).toEqual({
    messages: [...messages, { role: 'assistant', content: said.text }],
    ...{ max_tokens: 7, max_completion_tokens: 1, temperature: 1, add_generation_prompt: false },
  })
})

test('the rest is told under the name of the first answer, without a role, with the tokens of both', () => {
  const head = { id: 'first', created: 1 }
  const told = (data: string, text: string) =>
    JSON.parse(chatContinuation.retold(data, { head, text, given: 3 }) ?? 'null')
  expect(told(frameOf({ role: 'assistant', content: 'a' }), 'a')).toEqual({
    ...{ ...head, choices: [{ index: 0, delta: { content: 'a' } }] },
  })
  expect(told(frameOf({ role: 'assistant', content: '' }), '')).toBe(null)
  const ended = frameOf({}, { finish_reason: 'stop' })
  expect(told(ended, '').choices).toEqual([{ index: 0, delta: {}, finish_reason: 'stop' }])
  const usage = { prompt_tokens: 13, completion_tokens: 4, total_tokens: 17 }
  expect(told(JSON.stringify({ id: 'second', choices: [], usage }), '')).toEqual({
    ...{ ...head, choices: [] },
    usage: { prompt_tokens: 10, completion_tokens: 7, total_tokens: 17 },
  })
  expect(chatContinuation.retold('[DONE]', { head, text: '', given: 3 })).toBe('[DONE]')
})
