import fc from 'fast-check'
import { expect, test } from 'vitest'
import { endpointId } from '#core/ids.ts'
import { PrefixIndex } from '#routing/prefix-index.ts'

const a = endpointId('a')
const b = endpointId('b')

test('an endpoint holds the leading blocks of what was sent there, the latest first', () => {
  const index = new PrefixIndex()
  index.add(a, [1, 2, 3], 4)
  index.add(a, [1, 2, 9], 4)
  expect(index.held(a, [1, 2, 3, 4])).toBe(3)
  index.add(a, [7, 8], 4)
  // Ends of old prefixes went first; what is left has no holes.
  expect(index.held(a, [1, 2, 3])).toBe(2)
  expect(index.held(a, [7, 8])).toBe(2)
  expect(index.held(b, [1])).toBe(0)
})

test('those who hold the most come first, and a forgotten endpoint holds nothing', () => {
  const index = new PrefixIndex()
  index.add(b, [1, 2], 10)
  index.add(a, [1, 2, 3, 4], 10)
  expect(index.holders([1, 2, 3, 4], 10)).toEqual([a, b])
  expect(index.holders([1, 2, 3, 4], 1)).toEqual([a])
  expect(index.isHeld([1, 5])).toBe(true)
  expect(index.isHeld([5])).toBe(false)
  index.forget(a)
  expect(index.holders([1, 2, 3, 4], 10)).toEqual([b])
  expect(index.size(a)).toBe(0)
})

test('what is held is never more than fits and never has a hole', () => {
  const path = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(
      fc.array(path, { maxLength: 40 }),
      fc.integer({ min: 6, max: 12 }),
      (paths, most) => {
        const index = new PrefixIndex()
        const prompts = paths.map((steps) =>
          steps.map((_, at) => Number(`1${steps.slice(0, at + 1).join('')}`)),
        )
        for (const prompt of prompts) {
          index.add(a, prompt, most)
          expect(index.held(a, prompt)).toBe(prompt.length)
          expect(index.size(a)).toBeLessThanOrEqual(most)
          for (const other of prompts) {
            const held = index.held(a, other)
            for (let length = 1; length <= other.length; length++) {
              expect(index.held(a, other.slice(0, length))).toBe(Math.min(length, held))
            }
          }
        }
      },
    ),
  )
})
