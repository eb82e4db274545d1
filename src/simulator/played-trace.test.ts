import { expect, test } from 'vitest'
import { playedTrace } from '#simulator/played-trace.ts'
import { makeTrace } from '#simulator/traces/trace.ts'

const trace = makeTrace(
  'steady',
  Array.from({ length: 1_000 }, (_, at) => ({
    arrivalMs: 1_000 * at,
    promptTokens: at + 1,
    outputTokens: 10,
    model: null,
    client: null,
    prefixHashes: [],
  })),
  512,
)

test('runs of one seed meet the same requests, and those of another one others', () => {
  const played = (seed: number) => playedTrace({ trace, ratePerSecond: 5, seed })
  expect(played(1)).toEqual(played(1))
  expect(played(1).requests).not.toEqual(played(2).requests)
})

test.each(['superpose', 'compress'] as const)('%s brings the rate that is asked for', (how) => {
  const durationMs = 60_000
  const { requests, spanMs } = playedTrace({ trace, ratePerSecond: 5, seed: 1, how, durationMs })
  expect(spanMs).toBe(durationMs)
  expect(requests.length / 60).toBeCloseTo(5, 0)
})

test('a recorded trace keeps its order and its length in requests, at the rate that is given', () => {
  const { requests, spanMs } = playedTrace({ trace, ratePerSecond: 2, seed: 1, how: 'recorded' })
  expect(requests.map(({ promptTokens }) => promptTokens)).toEqual(
    trace.requests.map(({ promptTokens }) => promptTokens),
  )
  expect(spanMs).toBeCloseTo(trace.spanMs / 2)
})

test.each([1, 3])('a trace of one moment, with %i requests in it, is played and ends', (count) => {
  const moment = { ...trace.requests[0]!, arrivalMs: 0 }
  const short = makeTrace('short', Array(count).fill(moment), 512)
  for (const how of ['superpose', 'compress', 'recorded'] as const) {
    const played = playedTrace({ trace: short, ratePerSecond: 5, seed: 1, how })
    expect(played.requests.length).toBeGreaterThan(0)
    expect(played.spanMs).toBeGreaterThan(0)
  }
})
