import { expect, test } from 'vitest'
import { readUsage } from '#openai/usage.ts'

test.each([
  [{ prompt_tokens: 11, completion_tokens: 2, total_tokens: 13 }, 11, 2],
  [{ input_tokens: 4, output_tokens: 9 }, 4, 9],
  [{ prompt_tokens: 5, total_tokens: 5 }, 5, 0],
  [{ total_tokens: 8 }, 8, 0],
  [{ completion_tokens: 3, total_tokens: 8 }, 5, 3],
  [{ completion_tokens: 9, total_tokens: 8 }, 0, 9],
  [{ completion_tokens: 3 }, 0, 3],
  [{ prompt_tokens: 0, completion_tokens: 0 }, 0, 0],
])('%j is %i tokens of prompt and %i of answer', (usage, promptTokens, completionTokens) => {
  expect(readUsage(usage)).toEqual({ promptTokens, completionTokens })
})

test.each([
  null,
  undefined,
  'many',
  {},
  [],
  { prompt_tokens: '11' },
  { prompt_tokens: -1 },
  { prompt_tokens: Number.NaN, completion_tokens: Number.POSITIVE_INFINITY },
  { type: 'duration', seconds: 3 },
])('%j is no usage', (value) => {
  expect(readUsage(value)).toBeNull()
})
