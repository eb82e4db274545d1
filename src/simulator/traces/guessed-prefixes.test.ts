import { expect, test } from 'vitest'
import { type CachedRequest, guessedPrefixes } from '#simulator/traces/guessed-prefixes.ts'

const asked = (second: number, fields: Partial<CachedRequest>): CachedRequest => ({
  ...{ endedAtMs: second * 1_000, totalMs: 500, endpoint: 'rtx', model: 'm', client: 'app' },
  ...{ promptTokens: 256, cachedTokens: 0, completionTokens: 64, ...fields },
})

const shared = (one: readonly number[] = [], other: readonly number[] = []) =>
  one.filter((block, at) => block === other[at]).length

test('without anything in a cache, prompts begin with nothing that is told', () => {
  expect(guessedPrefixes([asked(1, {}), asked(2, {})])).toEqual([])
})

test('the next turn goes on from the conversation that is as long as what was in the cache', () => {
  const prefixes = guessedPrefixes([
    asked(1, { promptTokens: 640 }),
    asked(2, { promptTokens: 256 }),
    asked(3, { promptTokens: 512, cachedTokens: 320 }),
  ])
  expect(shared(prefixes[2], prefixes[1])).toBe(4)
  expect(shared(prefixes[2], prefixes[0])).toBe(0)
})

test('prompts that begin with the same instructions share these blocks and no more', () => {
  const prefixes = guessedPrefixes([
    asked(1, {}),
    asked(2, { cachedTokens: 128 }),
    asked(3, { cachedTokens: 128 }),
  ])
  expect(shared(prefixes[0], prefixes[1])).toBe(2)
  expect(shared(prefixes[1], prefixes[2])).toBe(2)
})

test.each([{ endpoint: 'amd' }, { model: 'other' }, { client: 'desk' }])(
  'nothing is shared with %j',
  (other) => {
    const prefixes = guessedPrefixes([asked(1, other), asked(2, { cachedTokens: 256 })])
    expect(shared(prefixes[0], prefixes[1])).toBe(0)
  },
)

test('the order of the log is that of ends, and does not matter', () => {
  const long = asked(5, { totalMs: 4_900 })
  const prefixes = guessedPrefixes([asked(2, { cachedTokens: 256 }), long])
  expect(shared(prefixes[0], prefixes[1])).toBe(4)
})
