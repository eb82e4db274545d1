import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { JsonLineReader } from '#std/json-lines.ts'

test('values come whole, in order, however the bytes are cut', () => {
  void fc.assert(
    fc.property(
      fc.array(fc.jsonValue(), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      (values, cuts) => {
        const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\r\n\n`).join(''))
        const reader = new JsonLineReader(1_000_000)
        const read: unknown[] = []
        for (let at = 0, cut = 0; at < bytes.length; cut++) {
          const next = at + (cuts[cut % cuts.length] ?? 1)
          read.push(...reader.push(bytes.subarray(at, next)))
          at = next
        }
        expect(JSON.stringify(read)).toBe(JSON.stringify(values))
      },
    ),
  )
})

test('a line that has not ended is kept, also when the buffer it came in is used again', () => {
  const reader = new JsonLineReader(100)
  const piece = Buffer.from('"first ')
  expect(reader.push(piece)).toEqual([])
  piece.fill(0)
  expect(reader.push(Buffer.from('half"\n'))).toEqual(['first half'])
})

test.each([
  { name: 'at its limit', bytes: 10, throws: false },
  { name: 'one byte above', bytes: 11, throws: true },
])('a line $name is refused: $throws', ({ bytes, throws }) => {
  const line = `"${'x'.repeat(bytes - 2)}"`
  for (const end of ['', '\n']) {
    const push = () => new JsonLineReader(10).push(Buffer.from(line + end))
    if (throws) expect(push).toThrow(/a line is longer than 10 bytes/)
    else expect(push()).toEqual(end === '' ? [] : [JSON.parse(line)])
  }
})

test('the limit is that of each line, and may be raised', () => {
  const reader = new JsonLineReader(4)
  expect(reader.push(Buffer.from('1234\n1234\n'.repeat(100)))).toHaveLength(200)
  reader.lineBytesMax = 5
  expect(reader.push(Buffer.from('12345\n'))).toEqual([12_345])
})

test('what is no JSON is a SyntaxError', () => {
  expect(() => new JsonLineReader(100).push(Buffer.from('{"a":\n'))).toThrow(SyntaxError)
})

test('a long line in very many pieces takes time and memory for its bytes, not for its pieces', () => {
  const reader = new JsonLineReader(2 ** 22)
  const piece = Buffer.from('x')
  reader.push(Buffer.from('"'))
  for (let count = 0; count < 1_000_000; count++) reader.push(piece)
  const [text] = reader.push(Buffer.from('"\n'))
  expect(String(text)).toHaveLength(1_000_000)
})
