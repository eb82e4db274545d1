import { expect, test } from 'vitest'
import { contextOf, kvCacheTypesOf, slotsOf } from '#cli/count.ts'
import { motleyConfig } from '#core/config/document.ts'

const inFile = (context: unknown) =>
  motleyConfig.parse({ deployments: { chat: { model: 'm', context } } }).deployments['chat']
    ?.context

test.each([
  ['8192', 8_192],
  ['8k', 8_192],
  ['32K', 32_768],
])('a context of %s is the same on the command line and in the file', (text, tokens) => {
  expect(contextOf(text, '--context')).toBe(tokens)
  expect(inFile(text)).toBe(tokens)
  expect(inFile(tokens)).toBe(tokens)
})

test.each(['0', '1', '63', '8kb', '-1', '1.5k', ''])('"%s" is no context', (text) => {
  expect(() => contextOf(text, '--context')).toThrow(/^--context takes a whole number .* 8k or 32k/)
  expect(() => inFile(text)).toThrow()
})

test('types of the KV cache keep their order, and an unknown one is told with what there is', () => {
  expect(kvCacheTypesOf('f16, q8_0', '--kv-cache-types')).toEqual(['f16', 'q8_0'])
  expect(() => kvCacheTypesOf('q8', '--kv-cache-types')).toThrow('takes f16, fp8, q8_0, q4_0')
  expect(slotsOf(undefined)).toBeNull()
})
