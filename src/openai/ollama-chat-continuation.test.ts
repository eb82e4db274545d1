import { expect, test } from 'vitest'
import { ollamaChatContinuation } from '#openai/ollama-chat-continuation.ts'
import { spliceBytes } from '#std/splice-bytes.ts'

const messages = [{ role: 'user', content: 'Tell me.' }]
const bodyOf = (fields: object = {}) => Buffer.from(JSON.stringify({ messages, ...fields }))
const lineOf = (message: object, more: object = {}) =>
  `${JSON.stringify({ model: 'm', message: { role: 'assistant', ...message }, done: false, ...more })}\n`

const nothing = { text: '', thoughts: '', isWords: true, isEnd: false }

test.each([
  ['words', lineOf({ content: 'a' }), { text: 'a' }],
  ['thoughts', lineOf({ content: '', thinking: 'a' }), { thoughts: 'a' }],
  ['a call', lineOf({ content: '', tool_calls: [{}] }), { isWords: false }],
  ['its end', lineOf({ content: '' }, { done: true }), { isEnd: true }],
  ['nothing', '\n', {}],
])('a line with %s says what it adds', (_what, line, part) => {
  expect(ollamaChatContinuation.partOf(line)).toEqual({ ...nothing, ...part })
})

test.each([
  [{}, true],
  [{ format: '' }, true],
  [{ format: 'json' }, false],
  [{ format: { type: 'object' } }, false],
  [{ messages: [...messages, { role: 'assistant', content: 'Well,' }] }, false],
])('whether a chat with %j can go on elsewhere is %s', (fields, fits) => {
  expect(ollamaChatContinuation.fits(bodyOf(fields), [])).toBe(fits)
})

test.each([
  [undefined, Number.POSITIVE_INFINITY, undefined],
  [{ top_k: 5 }, Number.POSITIVE_INFINITY, { top_k: 5 }],
  [{ num_predict: 10 }, 7, { num_predict: 7 }],
  [{ num_predict: -1, seed: 1 }, Number.POSITIVE_INFINITY, { num_predict: -1, seed: 1 }],
])('of options %j %d tokens are left', (options, left, asked) => {
  const body = bodyOf(options === undefined ? {} : { options })
  const said = { text: 'Once', thoughts: 'Hm', tokens: 3 }
  expect(ollamaChatContinuation.tokensLeft(body, said)).toBe(left)
  const how = { fields: {}, thoughtsAs: ['any'] }
  const splices = ollamaChatContinuation.askForRest(body, said, how)
  const inOrder = splices.toSorted((one, other) => one.start - other.start)
  const rest = JSON.parse(String(spliceBytes(body, inOrder)))
  expect(rest.options).toEqual(asked)
  expect(rest.messages.at(-1)).toEqual({ role: 'assistant', content: 'Once', thinking: 'Hm' })
})

test('only a temperature of 0 among the options leaves nothing to chance', () => {
  const asks = (fields: object) => ollamaChatContinuation.isRepeatable(bodyOf(fields))
  expect([asks({ options: { temperature: 0 } }), asks({ temperature: 0 }), asks({})]).toEqual([
    ...[true, false, false],
  ])
})

test('the rest is told line by line, with the counts of both', () => {
  const answer = ollamaChatContinuation.begin()
  expect(answer.follow({ said: 3, inPrompt: 2 })).toBe(null)
  answer.note(lineOf({ content: 'Once' }))
  const rest = answer.follow({ said: 3, inPrompt: 2 })
  expect(rest?.retell(lineOf({ content: 'a b' }), { ...nothing, text: ' b' })).toEqual([
    lineOf({ content: ' b' }),
  ])
  expect(rest?.retell(lineOf({ content: 'a' }), nothing)).toEqual([])
  const thought = lineOf({ content: '', thinking: 'a b' })
  expect(rest?.retell(thought, { ...nothing, thoughts: 'b' })).toEqual([
    lineOf({ content: '', thinking: 'b' }),
  ])
  const counts = { prompt_eval_count: 12, eval_count: 5, done: true }
  expect(rest?.retell(lineOf({ content: '' }, counts), nothing)).toEqual([
    lineOf({ content: '' }, { prompt_eval_count: 10, eval_count: 8, done: true }),
  ])
  const other = '{"error":"no memory"}'
  expect(rest?.retell(`${other}\n`, nothing)).toEqual([`${other}\n`])
  expect(rest?.retell(other, nothing)).toEqual([`${other}\n`])
})
