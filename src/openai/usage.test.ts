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
  expect(readUsage(usage)).toEqual({ promptTokens, completionTokens, cachedTokens: null })
})

test.each([
  { prompt_tokens: 90, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 64 } },
  { input_tokens: 90, output_tokens: 1, input_tokens_details: { cached_tokens: 64 } },
  { input_tokens: 26, output_tokens: 1, cache_read_input_tokens: 64 },
])('%j had 64 tokens in a cache', (usage) => {
  expect(readUsage(usage)?.cachedTokens).toBe(64)
})

test('an engine that names no cached tokens does not say that there were none', () => {
  const usage = { prompt_tokens: 90, completion_tokens: 1, prompt_tokens_details: null }
  expect(readUsage(usage)?.cachedTokens).toBeNull()
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
