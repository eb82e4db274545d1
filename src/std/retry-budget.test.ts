import { expect, test } from 'vitest'
import { RetryBudget } from '#std/retry-budget.ts'

/** How many retries in a row the budget gives at this moment. */
function drain(budget: RetryBudget, nowMs: number): number {
  let given = 0
  while (given < 10_000 && budget.tryRetry(nowMs)) given++
  return given
}

function noteFirstAttempts(budget: RetryBudget, count: number): void {
  for (let noted = 0; noted < count; noted++) budget.noteFirstAttempt()
}

test.each([
  { ratio: 0.25, attempts: 40, retries: 10 },
  { ratio: 0.5, attempts: 8, retries: 4 },
  { ratio: 1, attempts: 3, retries: 3 },
  { ratio: 0.2, attempts: 4, retries: 0 },
  { ratio: 0, attempts: 1_000, retries: 0 },
])('$attempts first attempts at $ratio earn $retries retries', ({ ratio, attempts, retries }) => {
  const budget = new RetryBudget(ratio, 0, 0)
  noteFirstAttempts(budget, attempts)
  expect(drain(budget, 0)).toBe(retries)
})

test('nothing earned and nothing a second is no retry, ever', () => {
  const budget = new RetryBudget(0.2, 0, 0)
  expect(drain(budget, 3_600_000)).toBe(0)
})

test('a few a second are allowed in any case, ten seconds of them saved up', () => {
  const budget = new RetryBudget(0, 2, 0)
  expect(drain(budget, 0)).toBe(20)
  expect(drain(budget, 400)).toBe(0)
  expect(drain(budget, 3_000)).toBe(6)
  expect(drain(budget, 1_000_000)).toBe(20)
})

test('what was earned is bounded, so that a quiet hour does not pay for a storm', () => {
  const few = new RetryBudget(1, 0, 0)
  noteFirstAttempts(few, 100_000)
  expect(drain(few, 0)).toBe(10)
  const many = new RetryBudget(1, 5, 0)
  noteFirstAttempts(many, 100_000)
  expect(drain(many, 0)).toBe(50 + 50)
})

test('what was earned is spent before what is allowed in any case', () => {
  const budget = new RetryBudget(1, 1, 0)
  noteFirstAttempts(budget, 5)
  for (let count = 0; count < 5; count++) budget.tryRetry(0)
  expect(drain(budget, 0)).toBe(10)
})
