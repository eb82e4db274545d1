import { expect, test } from 'vitest'
import { createTokenBytes } from '#embedded/vocabulary-bytes.ts'

test.each([
  { written: 'Ġhi', bytes: [...Buffer.from(' hi')] },
  { written: 'ĊĊ', bytes: [10, 10] },
  { written: 'â', bytes: [0xe2] },
  { written: 'Ń', bytes: [0xad] },
  { written: '<|im_end|>', bytes: [...Buffer.from('<|im_end|>')] },
])('a byte-level vocabulary writes $bytes as $written', ({ written, bytes }) => {
  expect(createTokenBytes([written], 'gpt2')(0)).toEqual(bytes)
})

test.each([
  { written: '\u2581hi', bytes: [...Buffer.from(' hi')] },
  { written: '<0xE2>', bytes: [0xe2] },
])('a SentencePiece vocabulary writes $bytes as $written', ({ written, bytes }) => {
  expect(createTokenBytes([written], 'llama')(0)).toEqual(bytes)
})

test('a token that is not in the vocabulary has no bytes', () => {
  expect(createTokenBytes([], 'gpt2')(5)).toBeNull()
})
