import { expect, test } from 'vitest'
import { withPatience } from '#gateway/patience.ts'

const deadlines = {
  ...{ connectMs: 1, firstByteMs: 300_000, betweenChunksMs: 1, writeStallMs: 1, totalAtMs: 1 },
}
const predicted = (ttftMs: number, isGuess = false) => ({ ttftMs, tpotMs: 20, isGuess })

test.each([
  ['ten times what was predicted', predicted(4_000), 10_000, 40_000],
  ['no less than what users want waited', predicted(200), 10_000, 10_000],
  ['no longer than the limit', predicted(60_000), 10_000, 300_000],
  ['the limit where the prediction is a guess', predicted(200, true), 10_000, 300_000],
  ['the limit where nothing was predicted', null, 10_000, 300_000],
  ['the limit where users want no more tries', predicted(200), 0, 300_000],
])('a first byte is waited for: %s', (_what, pace, lateFirstByteMs, expected) => {
  expect(withPatience(deadlines, pace, lateFirstByteMs).firstByteMs).toBe(expected)
})
