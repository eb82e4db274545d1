import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MinHeap } from '#std/min-heap.ts'

test('items leave by ascending key, and equal ones in the order in which they came', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9 })), (keys) => {
      const heap = new MinHeap<number>()
      for (const [index, key] of keys.entries()) heap.push(key, index)
      const expected = [...keys.keys()].sort((a, b) => keys[a]! - keys[b]! || a - b)
      const found: number[] = []
      while (heap.size > 0) {
        expect(heap.minKey).toBe(keys[heap.min!])
        found.push(heap.pop()!)
      }
      expect(found).toEqual(expected)
    }),
  )
})

test('an empty heap has no least item', () => {
  const heap = new MinHeap<string>()
  expect(heap.minKey).toBe(Number.POSITIVE_INFINITY)
  expect(heap.pop()).toBeUndefined()
  heap.push(1, 'a')
  heap.clear()
  expect(heap.size).toBe(0)
})
