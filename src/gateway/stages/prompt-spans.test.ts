import { expect, test } from 'vitest'
import { modelName } from '#core/ids.ts'
import { prefixBlockBytes, prefixBlocks } from '#gateway/prefix-blocks.ts'
import { parseJsonRequest } from '#gateway/stages/parse.ts'
import { chatCompletions } from '#openai/chat-completions.ts'

function blocksOf(body: Record<string, unknown>): number[] {
  const bytes = Buffer.from(JSON.stringify({ model: 'm', ...body }))
  const names = { resolve: modelName, only: null }
  const { promptSpans } = parseJsonRequest(chatCompletions, bytes, names)
  return prefixBlocks(
    promptSpans.map(({ start, end }) => bytes.subarray(start, end)),
    'm',
  )
}

const long = (word: string) => word.repeat(2 * prefixBlockBytes)
const messages = [{ role: 'user', content: long('a') }]

test('what a chat template writes before the conversation tells prompts apart from the start', () => {
  const plain = blocksOf({ messages })
  expect(plain.length).toBeGreaterThan(1)
  const different = [
    blocksOf({ messages, tools: [{ type: 'function', function: { name: 'now' } }] }),
    blocksOf({ messages, system: 'Be brief.' }),
    blocksOf({ messages, chat_template_kwargs: { enable_thinking: false } }),
  ]
  for (const blocks of different) {
    expect(blocks.filter((block) => plain.includes(block))).toEqual([])
  }
})

test('what is no part of the prompt, and the order of members, changes nothing', () => {
  const tools = [{ type: 'function', function: { name: 'now' } }]
  expect(blocksOf({ messages, tools, temperature: 0.5, seed: 7 })).toEqual(
    blocksOf({ max_tokens: 3, tools, messages }),
  )
})

test('the same tools and system are shared by different conversations', () => {
  const shared = { system: long('s'), tools: [{ name: long('t') }] }
  const one = blocksOf({ ...shared, messages: [{ role: 'user', content: long('x') }] })
  const other = blocksOf({ ...shared, messages: [{ role: 'user', content: long('y') }] })
  expect(one.slice(0, 4)).toEqual(other.slice(0, 4))
  expect(one.at(-1)).not.toBe(other.at(-1))
})
