import { expect, test } from 'vitest'
import { type KnownEndpoint, logFleet } from '#simulator/log-fleet.ts'
import type { LoggedAnswer } from '#simulator/traces/access-log.ts'

/** 2 ms for a token of the prompt, then 10 ms for each but the first of the answer. */
const answer = (atMs: number, fields: Partial<LoggedAnswer> = {}): LoggedAnswer => ({
  ...{ endpoint: 'embedded', model: 'tiny', promptTokens: 128, cachedTokens: 0, outputTokens: 41 },
  ...{ sentAtMs: atMs, firstTokenAtMs: atMs + 256, endedAtMs: atMs + 656, counts: true, ...fields },
})

const known = (name: string, fields: Partial<KnownEndpoint> = {}): KnownEndpoint => ({
  ...{ name, engine: 'motley-embedded', models: ['tiny'], slots: 4, kvTokens: 4_096, ...fields },
})

test('an endpoint is as fast as its answers were', () => {
  const { endpoints } = logFleet([answer(0), answer(1_000), answer(2_000)], [])
  expect(endpoints).toMatchObject([{ name: 'embedded', device: 'as-logged', models: ['tiny'] }])
  const [{ stepTime, basis } = {}] = endpoints
  const ms = new Map(stepTime?.linear)
  expect(ms.get(1)).toBeCloseTo(10, 0)
  expect(ms.get(128)).toBeCloseTo(256, -1)
  expect(basis).toMatch(/^3 answers of the log; half of their times are within [\d.]+ % of what it/)
  const [percent] = /[\d.]+(?= %)/.exec(basis ?? '') ?? []
  expect(Number(percent)).toBeGreaterThanOrEqual(0.1)
})

test('where nothing was streamed, the split into prompt and answer is said to be less sure', () => {
  const [endpoint] = logFleet([answer(0, { firstTokenAtMs: null })], []).endpoints
  expect(endpoint?.basis).toMatch(/^1 answer of the log; .* none was streamed, so how it parts/)
})

test('an endpoint that only failed is not in the fleet, and named', () => {
  const { endpoints, unknown } = logFleet(
    [answer(0), answer(0, { endpoint: 'broken', counts: false })],
    [],
  )
  expect(endpoints.map(({ name }) => name)).toEqual(['embedded'])
  expect(unknown).toEqual(['broken'])
})

test('what an endpoint held at a time is not more than the fleet has room for', () => {
  const many = Array.from({ length: 40 }, (_, at) => answer(at, { promptTokens: 3_000 }))
  const [endpoint] = logFleet(many, []).endpoints
  expect(endpoint?.slots).toBe(256)
  expect(endpoint?.kvTokens).toBeGreaterThan(40 * 3_000)
})

test('a gateway adds what no log tells: slots, room, models, and who has answered nothing', () => {
  const { endpoints, unknown } = logFleet(
    [answer(0)],
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
  const [endpoint] = logFleet([answer(0, { model: null })], []).endpoints
  expect(endpoint).not.toHaveProperty('models')
})
