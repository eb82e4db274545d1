import { expect, test } from 'vitest'
import { completionContinuation } from '#openai/completion-continuation.ts'
import { spliceBytes } from '#std/splice-bytes.ts'

const bodyOf = (fields: object = {}) => Buffer.from(JSON.stringify({ prompt: 'Say', ...fields }))

test.each([
  [{}, true],
  [{ suffix: '' }, true],
  [{ suffix: 'end' }, false],
  [{ echo: true }, false],
  [{ logprobs: 1 }, false],
  [{ prompt: ['Say'] }, false],
  [{ prompt: [1, 2] }, false],
])('whether a completion with %j can go on elsewhere is %s', (fields, fits) => {
  expect(completionContinuation.fits(bodyOf(fields), [])).toBe(fits)
})

test('the rest is asked for behind the prompt and what was said', () => {
  const body = bodyOf({ max_tokens: 5 })
  const said = { text: ' "a"\n', thoughts: '', tokens: 2 }
  const splices = completionContinuation.askForRest(body, said, { fields: {}, thoughtsAs: null })
  expect(JSON.parse(String(spliceBytes(body, splices)))).toEqual({
    ...{ prompt: 'Say "a"\n', max_tokens: 3 },
  })
})

test.each([
  [{ text: 'a' }, 'a', { text: 'a' }],
  [{ text: '', finish_reason: 'stop' }, '', { text: '', finish_reason: 'stop' }],
])('of a choice %j the words "%s" are told', (choice, text, told) => {
  const head = { id: 'first', created: 1 }
  const data = JSON.stringify({ id: 'second', created: 2, choices: [choice] })
  expect(completionContinuation.partOf(data)).toMatchObject({ text, isWords: true })
  const so = completionContinuation.begin()
  so.note(JSON.stringify({ ...head, choices: [{ text: 'Say' }] }))
  const retold = so.follow({ said: 0, inPrompt: 0 })?.retell(data, { text, thoughts: '' })
  expect(retold).toEqual([`data: ${JSON.stringify({ ...head, choices: [told] })}\n\n`])
})
