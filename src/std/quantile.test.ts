import { expect, test } from 'vitest'
import { quantile } from '#std/quantile.ts'

test.each([
  { values: [1], q: 0.99, value: 1 },
  { values: [1, 2, 3], q: 0.5, value: 2 },
  { values: [1, 2, 3, 4], q: 0.5, value: 2.5 },
  { values: [0, 10], q: 0.9, value: 9 },
  { values: [0, 10], q: 1, value: 10 },
  { values: [0, 10], q: 0, value: 0 },
])('a part $q of $values lies below $value', ({ values, q, value }) => {
  expect(quantile(values, q)).toBeCloseTo(value, 12)
})

test('of no values there is no quantile', () => {
  expect(quantile([], 0.5)).toBeNull()
})
