import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ewma } from '#std/ewma.ts'

test.each([
  { previous: null, sample: 7, weight: 0.1, next: 7 },
  { previous: 0, sample: 10, weight: 0.1, next: 1 },
  { previous: 10, sample: 0, weight: 0.25, next: 7.5 },
  { previous: 4, sample: 8, weight: 1, next: 8 },
  { previous: 4, sample: 8, weight: 0, next: 4 },
])('after $previous a sample of $sample at weight $weight gives $next', (row) => {
  expect(ewma(row.previous, row.sample, row.weight)).toBeCloseTo(row.next, 12)
})

test('it stays between the least and the greatest sample, and forgets the first', () => {
  const sample = fc.double({ min: 0, max: 1e6, noNaN: true })
  fc.assert(
    fc.property(fc.array(sample, { minLength: 1 }), sample, (samples, steady) => {
      let value: number | null = null
      for (const each of samples) value = ewma(value, each, 0.2)
      expect(value).toBeGreaterThanOrEqual(Math.min(...samples) - 1e-6)
      expect(value).toBeLessThanOrEqual(Math.max(...samples) + 1e-6)
      for (let count = 0; count < 200; count++) value = ewma(value, steady, 0.2)
      expect(value).toBeCloseTo(steady, 3)
    }),
  )
})
