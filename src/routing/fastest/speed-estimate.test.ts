import { expect, test } from 'vitest'
import { SpeedEstimate } from '#routing/fastest/speed-estimate.ts'
import type { StepSpeed } from '#routing/step-speed.ts'

/** Decodes one token in so many milliseconds. */
const speed = (ms: number): StepSpeed => ({
  fixedMs: 0,
  linearMs: [
    [1, ms],
    [2048, 100 * ms],
  ],
  decodeMsPerContextToken: 0,
  prefillMsPerTokenPair: 0,
})

/** Sees steps that take so long, until it believes it. */
function seeing(estimate: SpeedEstimate, stepMs: number): void {
  for (let step = 0; step < 500; step++) estimate.learnDecode(stepMs, estimate.decodeMs(1, 0))
}

test('what corrected a guess does not correct what is measured afterwards', () => {
  const estimate = new SpeedEstimate(null, 1, true)
  seeing(estimate, 2)
  expect(estimate.decodeMs(1, 0)).toBeCloseTo(2, 1)
  estimate.tell(speed(2), 1)
  expect(estimate.decodeMs(1, 0)).toBe(2)
  expect(estimate.isKnown).toBe(true)
})

test('the same speed said again forgets nothing', () => {
  const estimate = new SpeedEstimate(speed(10), 1, true)
  seeing(estimate, 30)
  estimate.tell(speed(10), 1)
  expect(estimate.decodeMs(1, 0)).toBeCloseTo(30, 0)
})

test('what a user thinks of an endpoint counts until something was seen there', () => {
  const estimate = new SpeedEstimate(null, 1, true)
  const guessMs = estimate.decodeMs(1, 0)
  expect(estimate.isUnheardOf).toBe(true)
  // A weaker one has joined: what it is to the mean of all is more now.
  estimate.tell(null, 2)
  expect(estimate.isUnheardOf).toBe(false)
  expect(estimate.decodeMs(1, 0)).toBeCloseTo(guessMs / 2)
  seeing(estimate, 30)
  estimate.tell(null, 4)
  expect(estimate.decodeMs(1, 0)).toBeCloseTo(30, 0)
})
