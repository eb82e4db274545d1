import { expect, test } from 'vitest'
import { decodeBoundTokensPerSecond, slowDecodeAlarm } from '#core/decode-speed.ts'

test.each([
  // An 8B model in Q4_K_M on an RTX 4090: 1008 GB/s over 4.9 GB.
  { weightsBytes: 4_912_898_304, bandwidth: 1_008e9, bound: 205.2 },
  // A 70B model in Q4_K_M on a Strix Halo: 256 GB/s.
  { weightsBytes: 42_512_531_712, bandwidth: 256e9, bound: 6.02 },
  // So small that reading it is not what takes the time.
  { weightsBytes: 2_337_664, bandwidth: 1_008e9, bound: 500 },
])('$weightsBytes bytes at $bandwidth bytes/s decode at most $bound tokens/s', (one) => {
  expect(decodeBoundTokensPerSecond(one.weightsBytes, [one.bandwidth])).toBeCloseTo(one.bound, 1)
})

test('without the bandwidth or the size there is no bound, and no alarm', () => {
  expect(decodeBoundTokensPerSecond(0, [1e12])).toBeNull()
  expect(decodeBoundTokensPerSecond(1e9, [])).toBeNull()
  expect(decodeBoundTokensPerSecond(1e9, [1e12, null])).toBeNull()
  expect(slowDecodeAlarm(0.1, null, 'it')).toBeNull()
})

test('of two devices each reads its half, one after the other', () => {
  expect(decodeBoundTokensPerSecond(40e9, [1_000e9, 1_000e9])).toBeCloseTo(25)
  expect(decodeBoundTokensPerSecond(40e9, [1_000e9, 500e9])).toBeCloseTo(16.67, 1)
})

test('below a fifth of the bound it is told, at a fifth it is not', () => {
  expect(slowDecodeAlarm(41, 205, 'RTX 4090')).toBeNull()
  expect(slowDecodeAlarm(8.12, 205, 'RTX 4090')).toBe(
    'It writes 8.1 tokens/s where the memory of RTX 4090 allows 205: it computes elsewhere, or shares the device.',
  )
})
