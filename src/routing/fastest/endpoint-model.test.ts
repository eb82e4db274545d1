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
