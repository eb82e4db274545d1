import { expect, test } from 'vitest'
import { closest } from '#std/closest.ts'

test('a slip of a letter or two means the word it is nearest to', () => {
  expect(closest('gatewya', ['gateway', 'models'])).toBe('gateway')
  expect(closest('nodes', ['models'])).toBeNull()
})

test('a word that is the beginning of one candidate alone, or begins with it, means that', () => {
  expect(closest('alias', ['variants', 'aliases', 'fallback'])).toBe('aliases')
  expect(closest('contextTokens', ['context', 'slots'])).toBe('context')
  expect(closest('a100-sxm', ['h100-sxm', 'a100-sxm-80'])).toBe('a100-sxm-80')
  expect(closest('time', ['timeouts', 'timetable'])).toBeNull()
})
