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

test('a new script that fails with the words of the one before is told of at once', () => {
  const log = new ScriptFailureLog()
  log.note('it threw 5', 0)
  log.note('it threw 5', 1)
  log.begin()
  expect(log.note('it threw 5', 2)).toBe(
    'routing.script failed, and rules alone decided: it threw 5',
  )
})
