import { expect, test } from 'vitest'
import { PrefillPace } from '#embedded/prefill-pace.ts'

test('steps grow on fast hardware, up to the size of a batch', () => {
  const pace = new PrefillPace(512)
  const seen = [64, 128, 256, 512].map((tokens) => {
    pace.record(tokens, 1)
    return pace.chunkTokens
  })
  expect(seen).toEqual([128, 256, 512, 512])
})

test('steps shrink on slow hardware until one takes about 150 ms', () => {
  const pace = new PrefillPace(512)
  for (let step = 0; step < 5; step++) pace.record(pace.chunkTokens, pace.chunkTokens * 5)
  expect(pace.chunkTokens).toBe(30)
})

test('a step of a few tokens teaches nothing', () => {
  const pace = new PrefillPace(512)
  pace.record(3, 1000)
  expect(pace.chunkTokens).toBe(64)
})
