import { expect, test } from 'vitest'
import { spentTokens } from '#gateway/spent-tokens.ts'

const whole = { promptTokens: 90, isWhole: true }
const cut = { promptTokens: 90, isWhole: false }
const reported = (promptTokens: number, completionTokens: number) => ({
  ...{ promptTokens, completionTokens, cachedTokens: null },
})

test.each([
  [
    'a whole answer has the word of its engine',
    reported(12, 30),
    28,
    whole,
    reported(12, 30),
    false,
  ],
  ['whole, of several events a token', reported(12, 30), 45, whole, reported(12, 30), false],
  ['whole, and reported before it was written', reported(12, 0), 28, whole, reported(12, 28), true],
  ['whole, and nothing was reported', null, 28, whole, reported(90, 28), true],
  ['in one piece, and nothing was reported', null, null, whole, null, null],
  ['in one piece', reported(12, 30), null, whole, reported(12, 30), false],
  [
    'cut, with the prompt reported in its first event',
    reported(12, 1),
    28,
    cut,
    reported(12, 28),
    true,
  ],
  [
    'cut, of an engine that reports with each event',
    reported(12, 60),
    28,
    cut,
    reported(12, 60),
    false,
  ],
  ['cut before anything came', null, 0, cut, reported(90, 0), true],
])('%s', (_what, usage, events, of, expected, counted) => {
  const spent = spentTokens(usage, events, of)
  expect(spent).toEqual(expected === null ? null : { ...expected, counted })
})
