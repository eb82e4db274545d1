import { expect, test } from 'vitest'
import { durationText } from '#cli/quantity.ts'

test.each([
  [5.9, '6 s'],
  [61, '1 min 1 s'],
  [7_384, '2 h 3 min'],
  [200_000, '2 d 7 h'],
])('%d seconds read as %s', (seconds, text) => {
  expect(durationText(seconds * 1_000)).toBe(text)
})
