import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Splice, spliceBytes } from '#std/splice-bytes.ts'

const spliced = (text: string, splices: readonly Splice[]) =>
  spliceBytes(Buffer.from(text), splices).toString()

test('what stands between the offsets is replaced', () => {
  expect(spliced('{"model":"a"}', [{ start: 9, end: 12, text: '"long-name"' }])).toBe(
    '{"model":"long-name"}',
  )
})

test.each([
  ['put in front', [{ start: 0, end: 0, text: 'x' }], 'xabc'],
  ['put in between', [{ start: 1, end: 1, text: 'x' }], 'axbc'],
  ['put behind', [{ start: 3, end: 3, text: 'x' }], 'abcx'],
  ['taken out', [{ start: 0, end: 2, text: '' }], 'c'],
  [
    'put twice at one place, in order',
    [
      { start: 1, end: 1, text: 'x' },
      { start: 1, end: 2, text: 'y' },
    ],
    'axyc',
  ],
])('a text is %s', (_what, splices, expected) => {
  expect(spliced('abc', splices)).toBe(expected)
})

test('without splices the bytes are the same object, not a copy', () => {
  const bytes = Buffer.from('abc')
  expect(spliceBytes(bytes, [])).toBe(bytes)
})

test('offsets are bytes, and bytes that are no text stay as they are', () => {
  const bytes = Buffer.from([0xff, 0xc3, 0x28, 0x00, 0x80])
  expect([...spliceBytes(bytes, [{ start: 1, end: 3, text: 'ü' }])]).toEqual([
    0xff, 0xc3, 0xbc, 0x00, 0x80,
  ])
})

test('pieces outside the splices are kept, and those inside replaced, for any of them', () => {
  // Beyond ASCII, where an offset in bytes is none in characters.
  const words = fc.string({ unit: 'grapheme' })
  const piece = fc.record({ kept: words, old: words, text: words })
  fc.assert(
    fc.property(fc.array(piece), words, (pieces, rest) => {
      let before = ''
      const splices: Splice[] = []
      for (const { kept, old, text } of pieces) {
        const start = Buffer.byteLength(before + kept)
        splices.push({ start, end: start + Buffer.byteLength(old), text })
        before += kept + old
      }
      const after = pieces.map(({ kept, text }) => kept + text).join('') + rest
      expect(spliced(before + rest, splices)).toBe(Buffer.from(after).toString())
    }),
  )
})
