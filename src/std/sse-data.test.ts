import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sseData } from '#std/sse-data.ts'

const dataOf = (frame: string) => sseData(Buffer.from(frame))

test.each([
  ['data: a\n\n', 'a'],
  ['data:a\n\n', 'a'],
  ['data:  a \n\n', ' a '],
  ['data: a\r\n\r\n', 'a'],
  ['data: a\r\r', 'a'],
  ['data: a', 'a'],
  ['data: a\ndata: b\n\n', 'a\nb'],
  ['data\ndata: b\n\n', '\nb'],
  ['data:\n\n', ''],
  ['data\n\n', ''],
  ['event: error\ndata: {"a":1}\nid: 7\n\n', '{"a":1}'],
  [': a comment\ndata: a\n\n', 'a'],
  ['\uFEFFdata: a\n\n', 'a'],
  ['data: a: b\n\n', 'a: b'],
])('the data of %j is %j', (frame, data) => {
  expect(dataOf(frame)).toBe(data)
})

test.each([
  ': ping\n\n',
  ':\n\n',
  'event: a\n\n',
  'id: 1\nretry: 5\n\n',
  'database: a\n\n',
  '\n',
  '',
])('%j has no data', (frame) => {
  expect(dataOf(frame)).toBeNull()
})

test('any text comes back from the lines that it was written in', () => {
  const line = fc.string({ unit: 'grapheme' }).filter((text) => !/[\r\n]/.test(text))
  fc.assert(
    fc.property(
      fc.array(line, { minLength: 1 }),
      fc.constantFrom('\n', '\r\n', '\r'),
      (lines, lineEnd) => {
        const frame = lines.map((text) => `data: ${text}${lineEnd}`).join('') + lineEnd
        expect(dataOf(frame)).toBe(lines.join('\n'))
      },
    ),
  )
})
