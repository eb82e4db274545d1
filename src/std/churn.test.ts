import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { ChurnMap, ChurnSet } from '#std/churn.ts'

test('what is set is there until it is deleted, however much came and went', () => {
  const map = new ChurnMap<number, string>()
  for (let at = 0; at < 10_000; at++) {
    map.set(at, `value ${at}`)
    if (at >= 3) expect(map.delete(at - 3)).toBe(true)
  }
  expect([...map.values()]).toEqual(['value 9997', 'value 9998', 'value 9999'])
  expect(map.size).toBe(3)
  expect(map.get(9_998)).toBe('value 9998')
  expect(map.get(9_996)).toBeUndefined()
  expect(map.delete(9_996)).toBe(false)
})

test('everything can be removed while it is gone through', () => {
  const set = new ChurnSet<number>()
  for (let at = 0; at < 2_000; at++) set.add(at)
  const seen: number[] = []
  for (const value of set) {
    seen.push(value)
    set.delete(value)
  }
  expect(seen).toHaveLength(2_000)
  expect(set.size).toBe(0)
})

// The day on which this fails, V8's own Map does as well, and ChurnMap can go.
test('what was removed is garbage at once, unlike in a Map of V8 that has grown old', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void
  const keptBytes = (map: ChurnMap<number, object> | Map<number, object>): number => {
    for (let round = 0; round < 4; round++) collect({ type: 'minor' })
    const beforeBytes = getHeapStatistics().used_heap_size
    for (let at = 0; at < 4_000; at++) {
      map.set(at, new Array(1_000).fill(at))
      if (at >= 16) map.delete(at - 16)
      if (at % 500 === 0) collect({ type: 'minor' })
    }
    collect({ type: 'minor' })
    return getHeapStatistics().used_heap_size - beforeBytes
  }
  // In this order: what survives for long teaches V8 to make more of it old from the start.
  const ofChurnMap = keptBytes(new ChurnMap<number, object>())
  const ofMap = keptBytes(new Map<number, object>())
  expect(ofChurnMap).toBeLessThan(ofMap / 3)
})
