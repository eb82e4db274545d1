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
