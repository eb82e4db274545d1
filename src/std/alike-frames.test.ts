import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AlikeFrames } from '#std/alike-frames.ts'

test('whatever was added comes back, in its order', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 12, max: 3 })), (all) => {
      const kept = new AlikeFrames()
      for (const one of all) kept.add(Buffer.from(one))
      expect([...kept.frames()].map((one) => [...one])).toEqual(all.map((one) => [...one]))
      expect(kept.count).toBe(all.length)
    }),
  )
})

test('long runs that are alike come back too', () => {
  const lengths = [0, 127, 128, 16_383, 16_384, 70_000]
  const all = lengths.flatMap((long) => [
    Buffer.from(`${'a'.repeat(long)}one${'z'.repeat(long)}`),
    Buffer.from(`${'a'.repeat(long)}${'o'.repeat(long)}${'z'.repeat(long)}`),
  ])
  const kept = new AlikeFrames()
  for (const one of all) kept.add(one)
  expect([...kept.frames()].map(String)).toEqual(all.map(String))
})
