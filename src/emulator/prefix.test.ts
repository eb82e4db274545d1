import { expect, test } from 'vitest'
import { blocksOf, emptyPrefix, withText, withTokens } from '#emulator/prefix.ts'
import { countTokens } from '#emulator/words.ts'

const words = (count: number, word = 'word') => `${word} `.repeat(count)

test('a text has a block for every sixteen tokens that it fills', () => {
  for (const count of [0, 15, 16, 17, 31, 32, 100]) {
    const { hashes, tokens } = blocksOf(withText(emptyPrefix, words(count)), 1)
    expect(hashes).toHaveLength(Math.floor(countTokens(words(count)) / 16))
    expect(tokens).toBe(hashes.length * 16)
  }
})

test('equal beginnings have equal blocks, and all that follows a difference differs', () => {
  const common = words(32)
  const one = blocksOf(withText(emptyPrefix, common + words(32, 'one')), 1).hashes
  const other = blocksOf(withText(emptyPrefix, common + words(32, 'other')), 1).hashes
  expect([one[0], one[1]]).toEqual([other[0], other[1]])
  expect(one[2]).not.toBe(other[2])
  expect(one[3]).not.toBe(other[3])
})

test('a text in pieces is the same as in one', () => {
  const text = words(50)
  const whole = withText(emptyPrefix, text)
  expect(withText(withText(emptyPrefix, text.slice(0, 100)), text.slice(100))).toEqual(whole)
})

test('tokens without a text take their place in the blocks', () => {
  const prefix = withTokens(withText(emptyPrefix, words(14)), 4, 7)
  expect(blocksOf(withText(prefix, words(14)), 1).hashes).toHaveLength(2)
})

test('prefixes of different models have nothing in common', () => {
  const prefix = withText(emptyPrefix, words(16))
  expect(blocksOf(prefix, 1).hashes).not.toEqual(blocksOf(prefix, 2).hashes)
})
