import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TokenBucket } from '#std/token-bucket.ts'

test('never gives more than its capacity and what has flowed in since', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(1000), fc.nat(20))), (steps) => {
      const bucket = new TokenBucket(10, 5, 0)
      let nowMs = 0
      let given = 0
      for (const [waitMs, amount] of steps) {
        nowMs += waitMs
        if (bucket.tryTake(amount, nowMs)) given += amount
        // One amount above the capacity may overdraw a full bucket, by no more than itself.
        expect(given).toBeLessThanOrEqual(10 + (5 * nowMs) / 1000 + 20)
      }
    }),
  )
})

test('says how long to wait, and gives back what was not used', () => {
  const bucket = new TokenBucket(60, 1, 0)
  expect(bucket.tryTake(60, 0)).toBe(true)
  expect(bucket.waitMs(6, 0)).toBe(6000)
  bucket.settle(3)
  expect(bucket.waitMs(6, 0)).toBe(3000)
  expect(bucket.tryTake(6, 3000)).toBe(true)
})
