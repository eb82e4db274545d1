import fc from 'fast-check'
import { expect, test } from 'vitest'
import { prefixBlockBytes, prefixBlocks } from '#gateway/prefix-blocks.ts'

const letters = (from: number, count: number) =>
  Buffer.from(Array.from({ length: count }, (_, at) => 97 + ((from + at * 7) % 26)))

test('prompts share names as far as they share whole blocks from their start', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 5 * prefixBlockBytes }),
      fc.integer({ min: 0, max: 2 * prefixBlockBytes }),
      (shared, more) => {
        const start = letters(3, shared)
        const one = prefixBlocks([start, Buffer.from('x'), letters(5, more)], 'm')
        const other = prefixBlocks(
          [Buffer.concat([start, Buffer.from('y'), letters(5, more)])],
          'm',
        )
        const whole = Math.floor(shared / prefixBlockBytes)
        expect(one.slice(0, whole)).toEqual(other.slice(0, whole))
        // All that follows a difference differs, though its own bytes are the same.
        const seen = new Set(other)
        expect(one.slice(whole).filter((block) => seen.has(block))).toEqual([])
      },
    ),
  )
})

test('the same prompt for another model is another one', () => {
  const prompt = letters(0, prefixBlockBytes)
  expect(prefixBlocks([prompt], 'a')).not.toEqual(prefixBlocks([prompt], 'b'))
})

test('names are whole numbers, and no more than are worth it', () => {
  const blocks = prefixBlocks([Buffer.alloc(1_000_000, 'a')], 'm')
  expect(blocks).toHaveLength(64)
  expect(blocks.every(Number.isSafeInteger)).toBe(true)
  expect(new Set(blocks).size).toBe(64)
})
