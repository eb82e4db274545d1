import { expect, test } from 'vitest'
import { type KnownEndpoint, logFleet } from '#simulator/log-fleet.ts'
import type { LoggedAnswer } from '#simulator/traces/access-log.ts'

/** 2 ms for a token of the prompt, then 10 ms for each but the first of the answer. */
const answer = (fields: Partial<LoggedAnswer> = {}): LoggedAnswer => ({
  ...{ endpoint: 'embedded', model: 'tiny', promptTokens: 100, outputTokens: 41 },
  ...{ firstTokenMs: 200, answerMs: 600, ...fields },
})

const known = (name: string, fields: Partial<KnownEndpoint> = {}): KnownEndpoint => ({
  ...{ name, engine: 'motley-embedded', models: ['tiny'], slots: 4, kvTokens: 4_096, ...fields },
})

test('an endpoint is as fast as its streamed answers were', () => {
  const { endpoints } = logFleet([answer(), answer(), answer()], [])
  expect(endpoints).toEqual([
    {
      ...{ name: 'embedded', device: 'as-logged', models: ['tiny'] },
      basis: '3 streamed answers of the log',
      stepTime: {
        linear: [
          [1, 10],
          [512, 1_024],
        ],
        ...{ decodeMsPerContextToken: 0, prefillMsPerTokenPair: 0 },
      },
    },
  ])
})

test('answers that had to share the engine do not make it slow', () => {
  const shared = answer({ firstTokenMs: 2_000, answerMs: 6_000 })
  const { endpoints } = logFleet([answer(), answer(), shared, shared, shared], [])
  expect(endpoints[0]?.stepTime?.linear[0]).toEqual([1, 10])
})

test('where nothing was streamed, a token of the prompt counts a twentieth, and that is said', () => {
  const whole = answer({ firstTokenMs: null, outputTokens: 45, answerMs: 500 })
  const [endpoint] = logFleet([whole], []).endpoints
  expect(endpoint?.stepTime?.linear).toEqual([
    [1, 10],
    [512, 256],
  ])
  expect(endpoint?.basis).toMatch(/^1 answer of the log; none was streamed/)
})

test('a gateway adds what no log tells: slots, room, models, and who has answered nothing', () => {
  const { endpoints, unknown } = logFleet(
    [answer()],
    [
      known('embedded', { models: ['tiny', 'other'] }),
      known('idle'),
      known('other', { models: ['x'] }),
    ],
  )
  expect(endpoints).toMatchObject([
    { engine: 'llama-server', models: ['tiny', 'other'], slots: 4, kvTokens: 4_096 },
  ])
  expect(unknown).toEqual(['idle'])
})

test('an endpoint that answered requests without a model serves any', () => {
  const [endpoint] = logFleet([answer({ model: null })], []).endpoints
  expect(endpoint).not.toHaveProperty('models')
})
