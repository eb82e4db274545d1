import { expect, test } from 'vitest'
import { chatContinuation } from '#openai/chat-continuation.ts'
import type { Prefill } from '#openai/continuation.ts'
import { spliceBytes } from '#std/splice-bytes.ts'

const said = { text: 'Once "upon', thoughts: 'A story.', tokens: 3 }
const messages = [{ role: 'user', content: 'Tell me.' }]
const bodyOf = (fields: object = {}) => Buffer.from(JSON.stringify({ messages, ...fields }))
const frameOf = (delta: object, more: object = {}) =>
  JSON.stringify({ id: 'second', created: 2, choices: [{ index: 0, delta, ...more }] })

const nothing = { text: '', thoughts: '', isWords: true, isEnd: false }

test.each([
  ['words', { content: 'a' }, { text: 'a' }],
  ['a role', { role: 'assistant', content: '' }, {}],
  ['a thought', { content: null, reasoning_content: 'a' }, { thoughts: 'a' }],
  ["a thought by vLLM's newer name", { reasoning: 'a' }, { thoughts: 'a' }],
  ['no thought', { content: 'a', reasoning: null }, { text: 'a' }],
  ['a tool call', { tool_calls: [{ index: 0 }] }, { isWords: false }],
  ['a refusal', { refusal: 'No.' }, { isWords: false }],
])('a frame with %s says what it adds', (_what, delta, part) => {
  expect(chatContinuation.partOf(frameOf(delta))).toEqual({ ...nothing, ...part })
})

test('a frame with a reason to finish says that the answer is whole', () => {
  const ended = frameOf({}, { finish_reason: 'stop' })
  expect(chatContinuation.partOf(ended)).toEqual({ ...nothing, isEnd: true })
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
  [{ guided_regex: null }, true],
  [{ echo: true }, false],
  [{ messages: [] }, false],
  [{ messages: 'none' }, false],
])('whether a chat with %j can go on elsewhere is %s', (fields, fits) => {
  expect(chatContinuation.fits(bodyOf(fields), ['guided_regex', 'grammar'])).toBe(fits)
})

const restOf = (body: Buffer, how: Prefill) => {
  const splices = chatContinuation.askForRest(body, said, how)
  const inOrder = splices.toSorted((one, other) => one.start - other.start)
  return JSON.parse(String(spliceBytes(body, inOrder)))
}

test('the rest is asked for behind what was said, with what the engine wants and what is left of the limits', () => {
  const body = bodyOf({ max_tokens: 10, max_completion_tokens: 2, temperature: 1 })
  const fields = { add_generation_prompt: false }
  expect(restOf(body, { fields, thoughtsAs: null })).toEqual({
    messages: [...messages, { role: 'assistant', content: said.text }],
    ...{ max_tokens: 7, max_completion_tokens: 1, temperature: 1, add_generation_prompt: false },
  })
})

test('thoughts go along by the names that the engine reads', () => {
  const { messages: asked } = restOf(bodyOf(), { fields: {}, thoughtsAs: ['reasoning', 'older'] })
  const { text: content, thoughts } = said
  expect(asked.at(-1)).toEqual({ role: 'assistant', content, reasoning: thoughts, older: thoughts })
})

test('what the engine wants is added to what the client wants of the template', () => {
  const wanted = { chat_template_kwargs: { style: 'dry', enable_thinking: true } }
  const fields = { chat_template_kwargs: { enable_thinking: false } }
  expect(restOf(bodyOf(wanted), { fields, thoughtsAs: null })).toMatchObject({
    chat_template_kwargs: { style: 'dry', enable_thinking: false },
  })
})

test('the rest is told under the name of the first answer, without a role, with the tokens of both', () => {
  const head = { id: 'first', created: 1 }
  const answer = chatContinuation.begin()
  expect(answer.follow({ said: 3, inPrompt: 2 })).toBe(null)
  answer.note(JSON.stringify({ ...head, choices: [{ index: 0, delta: {} }] }))
  const rest = answer.follow({ said: 3, inPrompt: 2 })
  const told = (data: string, text: string, thoughts = '') =>
    (rest?.retell(data, { text, thoughts }) ?? []).map((frame) =>
      JSON.parse(frame.replace('data: ', '')),
    )
  expect(told(frameOf({ role: 'assistant', content: 'a' }), 'a')).toEqual([
    { ...head, choices: [{ index: 0, delta: { content: 'a' } }] },
  ])
  expect(told(frameOf({ role: 'assistant', content: '' }), '')).toEqual([])
  const thought = frameOf({ reasoning: 'a b', reasoning_content: null })
  expect(told(thought, '', 'b')[0].choices[0].delta).toEqual({
    ...{ reasoning: 'b', reasoning_content: null },
  })
  expect(told(thought, '')).toEqual([])
  const ended = frameOf({}, { finish_reason: 'stop' })
  expect(told(ended, '')[0].choices).toEqual([{ index: 0, delta: {}, finish_reason: 'stop' }])
  const usage = { prompt_tokens: 13, completion_tokens: 4, total_tokens: 17 }
  expect(told(JSON.stringify({ id: 'second', choices: [], usage }), '')).toEqual([
    { ...head, choices: [], usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 } },
  ])
  expect(rest?.retell('[DONE]', nothing)).toEqual(['data: [DONE]\n\n'])
})
