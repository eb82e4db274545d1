import { expect, test } from 'vitest'
import { chatCompletions } from '#openai/chat-completions.ts'
import { completions } from '#openai/completions.ts'

test.each([
  { body: {}, choices: 1 },
  { body: { n: 3 }, choices: 3 },
  { body: { n: null }, choices: 1 },
  { body: { n: 0 }, choices: 1 },
  { body: { n: 1.5 }, choices: 1 },
  { body: { n: '2' }, choices: 1 },
])('a chat with $body has $choices choices', ({ body, choices }) => {
  const fields: Readonly<Record<string, unknown>> = body
  expect(chatCompletions.choicesAsked?.((name) => fields[name])).toBe(choices)
})

test.each([
  { prompt: 'a', n: 2, choices: 2 },
  { prompt: ['a', 'b', 'c'], n: 1, choices: 3 },
  { prompt: ['a', 'b'], n: 2, choices: 4 },
  { prompt: [1, 2, 3], n: 1, choices: 1 },
  { prompt: [[1, 2], [3]], n: 1, choices: 2 },
  { prompt: [], n: 1, choices: 1 },
])('a completion of $prompt with n $n has $choices choices', ({ choices, ...body }) => {
  const fields: Readonly<Record<string, unknown>> = body
  expect(completions.choicesAsked?.((name) => fields[name])).toBe(choices)
})
