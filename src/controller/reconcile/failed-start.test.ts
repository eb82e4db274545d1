import { expect, test } from 'vitest'
import { pauseMsAfter } from '#controller/reconcile/failed-start.ts'

const minutes = 60_000
const hours = 60 * minutes

test.each([
  { times: 0, evicted: false, ms: 5 * minutes },
  { times: 1, evicted: false, ms: 10 * minutes },
  { times: 9, evicted: false, ms: hours },
  { times: 0, evicted: true, ms: hours },
  { times: 1, evicted: true, ms: 24 * hours },
  { times: 2, evicted: true, ms: 48 * hours },
  { times: 9, evicted: true, ms: 7 * 24 * hours },
])('failed $times times before, others evicted for it: $evicted: $ms ms', (each) => {
  expect(pauseMsAfter(each.times, each.evicted)).toBe(each.ms)
})
