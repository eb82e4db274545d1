import { expect, test } from 'vitest'
import { uncachedSizes } from '#simulator/bound/uncached-sizes.ts'
import { makeTrace } from '#simulator/traces/trace.ts'

test('what an earlier prompt began with need not be computed again', () => {
  const request = (arrivalMs: number, promptTokens: number, prefixHashes: readonly number[]) => ({
    ...{ arrivalMs, promptTokens, prefixHashes },
    ...{ outputTokens: 10, model: null, client: null },
  })
  const trace = makeTrace(
    'trace',
    [
      request(0, 1_100, [1, 2, 3]),
      request(1, 1_100, [1, 2, 4]),
      // Its second block is known, but not after this first one.
      request(2, 1_024, [5, 2]),
      request(3, 1_100, [1, 2, 3]),
    ],
    512,
  )
  expect(uncachedSizes(trace).map(({ promptTokens }) => promptTokens)).toEqual([
    1_100,
    1_100 - 1_024,
    1_024,
    // A whole prompt that is known still takes one token.
    1,
  ])
})
