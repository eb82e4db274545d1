import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  chatArrivals,
  type Load,
  promptLengthArrivals,
  rampArrivals,
  stressArrivals,
  traceArrivals,
} from '#loadtest/arrival.ts'
import { seededChance } from '#std/seeded-chance.ts'

const load: Load = {
  requestsPerSecond: 20,
  durationMs: 600_000,
  lengths: { promptTokens: 400, outputTokens: 100 },
}

test('a chat comes at its rate, with lengths around their means', () => {
  const arrivals = chatArrivals(load, seededChance(1))
  // 12,000 expected; Poisson's deviation is 110.
  expect(arrivals.length).toBeGreaterThan(11_500)
  expect(arrivals.length).toBeLessThan(12_500)
  const mean = arrivals.reduce((sum, { promptTokens }) => sum + promptTokens, 0) / arrivals.length
  // The cut at four times the mean takes 1.8 % off it.
  expect(mean).toBeGreaterThan(375)
  expect(mean).toBeLessThan(410)
})

test('a ramp goes up to what was asked for, and a stress to four times that', () => {
  const phases = (arrivals: readonly { readonly phase: string }[]) => [
    ...new Set(arrivals.map(({ phase }) => phase)),
  ]
  expect(phases(rampArrivals(load, seededChance(1)))).toEqual([
    '4 req/s',
    '8 req/s',
    '12 req/s',
    '16 req/s',
    '20 req/s',
  ])
  expect(phases(stressArrivals(load, seededChance(1))).at(-1)).toBe('80 req/s')
})

test('prompt lengths go up by twos at one rate', () => {
  const arrivals = promptLengthArrivals(load, seededChance(1))
  expect([...new Set(arrivals.map(({ promptTokens }) => promptTokens))]).toEqual([
    50, 100, 200, 400, 800, 1600,
  ])
})

test('a trace is stretched, cut and brought into order', () => {
  const rows = [
    { arrivalMs: 3_000, promptTokens: 5, outputTokens: 0 },
    { arrivalMs: 1_000, promptTokens: 7, outputTokens: 2 },
    { arrivalMs: 9_000, promptTokens: 7, outputTokens: 2 },
  ]
  expect(traceArrivals(rows, { timeScale: 0.5, durationMs: 2_000 })).toEqual([
    { atMs: 500, promptTokens: 7, outputTokens: 2, phase: 'trace' },
    { atMs: 1_500, promptTokens: 5, outputTokens: 1, phase: 'trace' },
  ])
})

test('every load is in order, within its time, and the same for the same seed', () => {
  const scenarios = [chatArrivals, rampArrivals, stressArrivals, promptLengthArrivals]
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom(...scenarios), (seed, scenario) => {
      const small = { ...load, durationMs: 5_000 }
      const arrivals = scenario(small, seededChance(seed))
      expect(scenario(small, seededChance(seed))).toEqual(arrivals)
      expect(arrivals.toSorted((one, other) => one.atMs - other.atMs)).toEqual(arrivals)
      for (const { atMs, promptTokens, outputTokens } of arrivals) {
        expect(atMs).toBeLessThan(small.durationMs)
        expect(Math.min(promptTokens, outputTokens)).toBeGreaterThanOrEqual(1)
      }
    }),
    { numRuns: 50 },
  )
})
