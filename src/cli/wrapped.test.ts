import { expect, test } from 'vitest'
import { wrapped } from '#cli/wrapped.ts'

test('lines are broken between words, and those after the first are indented', () => {
  expect(wrapped('one two three four', 8, '  ')).toEqual(['one two', '  three', '  four'])
})

test.each(['12 s', '15 min 2 s', '4 h 30 min', '21.2 GiB', '85 %', '512 B'])(
  'a number stays with its unit: %s',
  (quantity) => {
    const text = `ready in about ${quantity}, it is thought`
    for (let width = 1; width < 40; width++) {
      expect(wrapped(text, width, '').join('\n')).toContain(quantity)
    }
  },
)

test('a number before a word is broken like any other', () => {
  expect(wrapped('it has 4 slots', 8, '')).toEqual(['it has 4', 'slots'])
})

test('a line is as long as it looks, whatever colours it has', () => {
  const bold = '\u001b[1mone\u001b[22m'
  expect(wrapped(`${bold} two three`, 8, '  ')).toEqual([`${bold} two`, '  three'])
})
