import { expect, test } from 'vitest'
import { requestId } from '#core/ids.ts'
import { answersLost } from '#routing/fastest/answers-lost.ts'
import type { Stream } from '#routing/fastest/stream.ts'

/** A stream with a target of 100 ms a token, that began at 0 and expects 100 tokens. */
function stream(tokens: number, more: Partial<Stream> = {}): Stream {
  return {
    request: { id: requestId('r') } as Stream['request'],
    sentAtMs: 0,
    newTokens: 1,
    pairs: 1,
    expectedTokens: 100,
    targetMs: 100,
    predictedTtftMs: 0,
    predictedTpotMs: 0,
    prefillShare: 0,
    besideRequests: 0,
    besideTokens: 0,
    overtaken: false,
    started: true,
    firstAtMs: 0,
    lastAtMs: 0,
    tokens,
    place: 0,
    ...more,
  }
}

const so = { stepMs: 50, pendingMs: 0, stallMs: 1_000, nowMs: 2_000 }

test.each([
  // 41 tokens earned 4,000 ms, and 2,000 ms are spent: 2,000 are left.
  { name: 'a stream that saved up loses nothing', streams: [stream(41)], lost: 0 },
  // 1,000 ms in debt are earned back in 20 tokens of the 100 it expects.
  {
    name: 'one that has nothing may end before it is out of debt',
    streams: [stream(21)],
    lost: 0.2,
  },
  { name: 'losses add up', streams: [stream(21), stream(21), stream(41)], lost: 0.4 },
  { name: 'no stream is lost twice', streams: [stream(21, { expectedTokens: 1 })], lost: 1 },
  {
    name: 'one that is in debt anyway adds only what is new',
    streams: [stream(1)],
    lost: 0.2,
  },
  {
    name: 'one without a target cannot be lost',
    streams: [stream(1, { targetMs: Number.POSITIVE_INFINITY })],
    lost: 0,
  },
])('$name', ({ streams, lost }) => {
  expect(answersLost(streams, so)).toBeCloseTo(lost)
})

test('what would be lost to a stall that comes anyway is not counted', () => {
  expect(answersLost([stream(21)], { ...so, pendingMs: 5_000 })).toBeCloseTo(0.2)
})
