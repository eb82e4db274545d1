import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RangeSet } from '#std/range-set.ts'

test('ranges that touch become one, and what is missing is between them', () => {
  const set = new RangeSet([{ begin: 10, end: 20 }])
  set.add(30, 40)
  set.add(20, 25)
  expect(set.ranges).toEqual([
    { begin: 10, end: 25 },
    { begin: 30, end: 40 },
  ])
  expect(set.missing(50)).toEqual([
    { begin: 0, end: 10 },
    { begin: 25, end: 30 },
    { begin: 40, end: 50 },
  ])
  expect({ size: set.size, prefixEnd: set.prefixEnd }).toEqual({ size: 25, prefixEnd: 0 })
  set.add(0, 35)
  expect(set.prefixEnd).toBe(40)
})

test('it holds what a list of booleans would hold', () => {
  const limit = 60
  const part = fc.tuple(fc.nat(limit), fc.nat(limit))
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      const set = new RangeSet()
      const model = new Array<boolean>(limit + 1).fill(false)
      for (const [begin, end] of parts) {
        set.add(begin, end)
        model.fill(true, begin, Math.max(begin, end))
      }
      const gone = new Set(
        set
          .missing(limit)
          .flatMap(({ begin, end }) =>
            Array.from({ length: end - begin }, (_, index) => begin + index),
          ),
      )
      expect(model.slice(0, limit).map((has) => !has)).toEqual(
        Array.from({ length: limit }, (_, index) => gone.has(index)),
      )
      expect(set.size).toBe(model.filter(Boolean).length)
    }),
  )
})
