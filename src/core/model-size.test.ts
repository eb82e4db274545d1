import { expect, test } from 'vitest'
import { parameterCountIn } from '#core/model-size.ts'

test.each([
  { name: 'llama-3.1-8b', count: 8e9 },
  { name: 'meta-llama/Llama-3.1-70B-Instruct', count: 70e9 },
  { name: 'Qwen3-30B-A3B', count: 30e9 },
  { name: 'qwen2.5-0.5b-instruct', count: 0.5e9 },
  { name: 'mixtral-8x7b', count: 56e9 },
  { name: 'kokoro-82m', count: 82e6 },
  { name: 'llama3:8b', count: 8e9 },
  { name: 'gpt-4o-mini', count: null },
  { name: 'motley-tiny', count: null },
  { name: 'phi-3-mini-4k', count: null },
  { name: 'bge-m3', count: null },
])('$name has $count parameters by its name', ({ name, count }) => {
  expect(parameterCountIn(name)).toBe(count)
})
