import fc from 'fast-check'
import { expect, test } from 'vitest'
import { composeAnswer, reasoningOf, textOf, toolCallOf } from '#emulator/answer.ts'
import { readMessages } from '#emulator/conversation.ts'
import { countTokens, splitTokens, wordAt } from '#emulator/words.ts'

const user = { role: 'user', content: 'Tell me of the harbour.' }

function ask(
  messages: readonly unknown[],
  overrides: Partial<Parameters<typeof composeAnswer>[0]> = {},
) {
  return composeAnswer({
    model: 'llama-3.1-8b',
    conversation: readMessages(messages, true),
    seed: 0,
    choices: 1,
    maxTokens: 60,
    tool: null,
    reasons: false,
    prefilledThoughts: 'ended',
    ...overrides,
  })
}

function say(...asked: Parameters<typeof ask>): string {
  const [choice] = ask(...asked).choices
  return choice === undefined ? '' : textOf(choice)
}

test('the same request gets the same words; another model, seed or text gets others', () => {
  const words = say([user])
  expect(say([user])).toBe(words)
  expect(say([user], { model: 'qwen' })).not.toBe(words)
  expect(say([user], { seed: 1 })).not.toBe(words)
  expect(say([{ role: 'user', content: 'Something else.' }])).not.toBe(words)
})

test('an answer has as many tokens as asked for, and ends for that reason', () => {
  const answer = ask([user], { maxTokens: 60 })
  expect(answer.outputTokens).toBe(60)
  expect(answer.choices[0]?.finishReason).toBe('length')
  expect(countTokens(say([user], { maxTokens: 60 }))).toBe(60)
})

test('without a limit it ends by itself, after whole sentences', () => {
  const answer = ask([user], { maxTokens: null })
  expect(answer.choices[0]?.finishReason).toBe('stop')
  expect(answer.outputTokens).toBeGreaterThanOrEqual(36)
  expect(answer.outputTokens).toBeLessThanOrEqual(90)
  expect(say([user], { maxTokens: null })).toMatch(/\.$/)
})

test('cut at any character, the rest continues the answer exactly', () => {
  const whole = say([user], { maxTokens: null })
  fc.assert(
    fc.property(fc.integer({ min: 0, max: whole.length }), (at) => {
      const begun = { role: 'assistant', content: whole.slice(0, at) }
      expect(begun.content + say([user, begun], { maxTokens: null })).toBe(whole)
    }),
  )
})

test('what another model began is continued from the same number of words', () => {
  const begun = { role: 'assistant', content: 'Ships sail at' }
  const whole = splitTokens(say([user], { maxTokens: 10 }))
  expect(say([user, begun], { maxTokens: 3 })).toBe(whole.slice(3, 6).join(''))
})

test('an assistant message that is not to be continued belongs to the conversation', () => {
  const messages = [user, { role: 'assistant', content: 'Ships sail at' }]
  const closed = readMessages(messages, false)
  expect(closed).toMatchObject({ prefill: '', endsWithAssistant: true })
  expect(closed.hash).not.toBe(readMessages([user], false).hash)
})

test('choices differ, and all are counted', () => {
  const answer = ask([user], { choices: 3, maxTokens: 10 })
  expect(new Set(answer.choices.map(textOf)).size).toBe(3)
  expect(answer).toMatchObject({ outputTokens: 30, steps: 10 })
})

test('a model that reasons thinks first, within the same number of tokens', () => {
  const [choice] = ask([user], { reasons: true, maxTokens: 30 }).choices
  expect(choice?.pieces.slice(0, 10).every((piece) => piece.kind === 'reasoning')).toBe(true)
  expect(choice?.pieces).toHaveLength(30)
  expect(choice && reasoningOf(choice)).not.toBe('')
})

test('a tool is called with arguments that fit its schema', () => {
  const parameters = {
    type: 'object',
    properties: {
      city: { type: 'string' },
      days: { type: 'integer' },
      units: { enum: ['celsius', 'kelvin'] },
    },
  }
  const [choice] = ask([user], { tool: { name: 'weather', parameters } }).choices
  const call = choice === undefined ? null : toolCallOf(choice)
  expect(choice?.finishReason).toBe('tool_calls')
  expect(call?.name).toBe('weather')
  expect(JSON.parse(call?.arguments ?? '')).toEqual({
    city: expect.any(String),
    days: expect.any(Number),
    units: 'celsius',
  })
})

test('every word is one token, and some are not ASCII', () => {
  const words = Array.from({ length: 2000 }, (_, index) => wordAt(7, index))
  expect(words.every((word) => countTokens(word) === 1)).toBe(true)
  expect(words.some((word) => Buffer.byteLength(word) > word.length)).toBe(true)
})

test('tokens are words, and long words several', () => {
  expect(countTokens('')).toBe(0)
  expect(countTokens('  hello \n world ')).toBe(2)
  expect(countTokens('x'.repeat(25))).toBe(3)
  expect(splitTokens(`hello ${'x'.repeat(25)}`)).toHaveLength(4)
})
