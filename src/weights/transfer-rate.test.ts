import { expect, test } from 'vitest'
import { TransferRate } from '#weights/transfer-rate.ts'

test('the rate is that of the last ten seconds', () => {
  const rate = new TransferRate()
  for (let second = 0; second <= 60; second++) {
    // A hundred a second for half a minute, then ten.
    rate.mark(second * 1000, second <= 30 ? second * 100 : 3000 + (second - 30) * 10)
  }
  expect(rate.bytesPerSecond(60_000)).toBeCloseTo(10, 5)
  expect(rate.remainingMs(60_000, 100)).toBeCloseTo(10_000, 2)
})

test('nothing is said before there is something to say', () => {
  const rate = new TransferRate()
  expect(rate.bytesPerSecond(0)).toBeNull()
  rate.mark(0, 0)
  rate.mark(200, 1000)
  expect(rate.bytesPerSecond(200)).toBeNull()
  rate.mark(1000, 1000)
  expect(rate.bytesPerSecond(1000)).toBe(1000)
  expect(rate.remainingMs(1000, null)).toBeNull()
})

test('a transfer that stands still has no end', () => {
  const rate = new TransferRate()
  rate.mark(0, 500)
  rate.mark(5_000, 500)
  expect(rate.remainingMs(5_000, 1000)).toBeNull()
})
