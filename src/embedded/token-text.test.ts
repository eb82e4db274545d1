import { expect, test } from 'vitest'
import { TokenText } from '#embedded/token-text.ts'

/** A vocabulary of single bytes. */
const detokenize = (tokens: readonly number[]): string => Buffer.from(tokens).toString('utf8')

function pieces(bytes: Iterable<number>): readonly string[] {
  const text = new TokenText<number>(detokenize, [])
  return [...[...bytes].map((byte) => text.push(byte)), text.flush()]
}

test('a character waits for its last byte', () => {
  expect(pieces(Buffer.from('a€😀b'))).toEqual(['a', '', '', '€', '', '', '', '😀', 'b', ''])
})

test('half a character at the end of an answer is left out', () => {
  expect(pieces([...Buffer.from('a€')].slice(0, 3))).toEqual(['a', '', '', ''])
})

test('bytes that are no UTF-8 do not hold the text back for ever', () => {
  expect(pieces([0xff, 0xff, 0xff, 0xff, 0x61]).join('')).toBe('\uFFFD\uFFFD\uFFFD\uFFFDa')
})

test('the detokenizer sees the tokens before, the prompt first', () => {
  const seen: (readonly number[])[] = []
  const text = new TokenText<number>(
    (tokens, before) => {
      seen.push(before)
      return detokenize(tokens)
    },
    [1, 2],
  )
  text.push(97)
  text.push(98)
  expect(seen).toEqual([
    [1, 2],
    [1, 2, 97],
  ])
})
