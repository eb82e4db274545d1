import { expect, test } from 'vitest'
import { ScriptFailureLog } from '#gateway/script/script-failure-log.ts'

test('a script that fails for every request is told of once in ten seconds, with how often', () => {
  const log = new ScriptFailureLog()
  expect(log.note('it threw 5', 0)).toBe(
    'routing.script failed, and rules alone decided: it threw 5',
  )
  expect(log.note('it threw 5', 1)).toBeNull()
  expect(log.note('it threw 5', 9_999)).toBeNull()
  expect(log.note('it threw 5', 10_000)).toMatch(/it threw 5 \(3 times since it was said last\)$/)
})

test('how often a script failed, with what and when last, is known until another is asked', () => {
  const log = new ScriptFailureLog()
  expect(log.trouble).toBeNull()
  log.note('it threw 5', 0)
  log.note('it threw 6', 70)
  expect(log.trouble).toEqual({ failures: 2, why: 'it threw 6', atMs: 70 })
  log.begin()
  expect(log.trouble).toBeNull()
})

test('a new script that fails with the words of the one before is told of at once', () => {
  const log = new ScriptFailureLog()
  log.note('it threw 5', 0)
  log.note('it threw 5', 1)
  log.begin()
  expect(log.note('it threw 5', 2)).toBe(
    'routing.script failed, and rules alone decided: it threw 5',
  )
})
