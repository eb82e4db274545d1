import { expect, test } from 'vitest'
import { EndpointModel } from '#routing/fastest/endpoint-model.ts'
import type { Stream } from '#routing/fastest/stream.ts'
import { dispatchRequest } from '#testing/dispatch-request.ts'
import { endpointView } from '#testing/endpoint-view.ts'

/** One that does not tell how much it holds. */
function model(): EndpointModel {
  const told = {
    view: endpointView('a'),
    serves: () => true,
    limits: { seats: null, kvTokens: null, batchTokens: null },
    speed: {
      fixedMs: 20,
      linearMs: [
        [0, 0],
        [1_000, 100],
      ],
      decodeMsPerContextToken: 0,
      prefillMsPerTokenPair: 0,
    },
  } as const
  return new EndpointModel(told, 1, true)
}

/** Sent at 0, beside ten others, with its first token expected after 100 ms. */
function stream(name: string): Stream {
  return {
    request: dispatchRequest(name, { promptTokens: 500 }),
    sentAtMs: 0,
    newTokens: 500,
    pairs: 0,
    expectedTokens: 100,
    targetMs: 100,
    predictedTtftMs: 100,
    predictedTpotMs: 20,
    prefillShare: 0,
    besideRequests: 10,
    besideTokens: 5_000,
    overtaken: false,
    started: false,
    firstAtMs: 0,
    lastAtMs: 0,
    tokens: 0,
    place: -1,
  }
}

test('a first token that comes late tells of room, in the order in which prompts were sent', () => {
  const endpoint = model()
  const [first, second] = [stream('first'), stream('second')]
  for (const one of [first, second]) endpoint.begin(one, 0)
  endpoint.firstToken(first, 5_000)
  expect(endpoint.seats).toBe(10)
})

test('the first token of a prompt that another one overtook tells nothing of room', () => {
  const endpoint = model()
  const [first, second] = [stream('first'), stream('second')]
  for (const one of [first, second]) endpoint.begin(one, 0)
  endpoint.firstToken(second, 100)
  endpoint.firstToken(first, 5_000)
  expect(endpoint.seats).toBe(Infinity)
})

test('one that computes a long prompt is not silent until three times its time is over', () => {
  const endpoint = model()
  // Ten chunks of 2,048 tokens, each a step of 20 ms and the 205 ms of its tokens.
  endpoint.begin({ ...stream('long'), newTokens: 20_480 }, 0)
  expect([2_000, 6_700, 6_800].map((nowMs) => endpoint.isSilent(nowMs))).toEqual([
    false,
    false,
    true,
  ])
})
