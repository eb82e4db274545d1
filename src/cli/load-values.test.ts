import { expect, test } from 'vitest'
import { durationOf, numberOf } from '#cli/load-values.ts'

test.each([
  { text: '500ms', ms: 500 },
  { text: '1.5s', ms: 1_500 },
  { text: '576h', ms: 24 * 24 * 3_600_000 },
])('$text is a time', ({ text, ms }) => {
  expect(durationOf(text, '--timeout')).toBe(ms)
})

test.each([
  { text: '99999999s', why: '--timeout takes at most 24 days, and not "99999999s"' },
  { text: '30', why: '--timeout needs the unit of its time: 30s, 30ms or 30m, not "30"' },
  { text: '1.5', why: '--timeout needs the unit of its time: 1.5s, 1.5ms or 1.5m, not "1.5"' },
  { text: '30 s', why: '--timeout takes a time, as 500ms, 60s or 5m, not "30 s"' },
  { text: '0s', why: '--timeout takes a time above 0, as 500ms, 60s or 5m, not "0s"' },
  { text: '-5s', why: '--timeout takes a time, as 500ms, 60s or 5m, not "-5s"' },
])('$text is none, and it is said why', ({ text, why }) => {
  expect(() => durationOf(text, '--timeout')).toThrow(why)
})

test.each(['NaN', 'Infinity', '-1', '0', ''])('"%s" is no number of requests', (text) => {
  expect(() => numberOf(text, '--rate')).toThrow('--rate takes a number above 0')
})
