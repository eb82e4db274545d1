import { expect, test } from 'vitest'
import { LateTurns } from '#routing/fastest/late-turns.ts'

test('one in so many that go is a late one', () => {
  const turns = new LateTurns(0.25)
  const due: boolean[] = []
  for (let sent = 0; sent < 4; sent++) {
    turns.liveSent()
    due.push(turns.isDue)
  }
  expect(due).toEqual([false, false, false, true])
  turns.taken()
  expect(turns.isDue).toBe(false)
})

test('who is refused is told to come when those before it will have gone', () => {
  const turns = new LateTurns(0.02)
  // By a clock that did not begin with the first request.
  turns.lateSent(1_700_000_000_000)
  expect(turns.retryAfterMs(4)).toBe(1_000)
  turns.lateSent(1_700_000_003_000)
  expect(turns.retryAfterMs(4)).toBe(12_000)
  expect(turns.retryAfterMs(1_000)).toBe(60_000)
})
