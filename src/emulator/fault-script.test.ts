import { expect, test } from 'vitest'
import { parseFault } from '#emulator/fault.ts'
import { FaultScript } from '#emulator/fault-script.ts'
import { ManualClock } from '#emulator/manual-clock.ts'

const request = { model: 'm', task: 'chat', hasPrefill: false }

function script(texts: readonly string[], clock = new ManualClock(), seed = 1): FaultScript {
  return new FaultScript(texts.map(parseFault), clock, seed)
}

/** Which of so many equal requests are hit. */
function hits(faults: FaultScript, requests: number): number[] {
  return Array.from({ length: requests }, (_, index) => index + 1).filter(
    () => faults.forRequest(request).length > 0,
  )
}

test('a fault without conditions hits every request', () => {
  expect(hits(script(['hang']), 3)).toEqual([1, 2, 3])
})

test('@first=2 hits the first two, and @every=3 each third', () => {
  expect(hits(script(['hang@first=2']), 6)).toEqual([1, 2])
  expect(hits(script(['hang@every=3']), 7)).toEqual([3, 6])
})

test('only requests that meet the other conditions are counted', () => {
  const faults = script(['hang@first@model=m'])
  expect(faults.forRequest({ ...request, model: 'other' })).toEqual([])
  expect(faults.forRequest(request)).toHaveLength(1)
  expect(faults.forRequest(request)).toEqual([])
})

test('a chance comes from the seed: the same one again, another with another', () => {
  const first = hits(script(['hang@p=0.3']), 1000)
  expect(hits(script(['hang@p=0.3']), 1000)).toEqual(first)
  expect(hits(script(['hang@p=0.3'], new ManualClock(), 2), 1000)).not.toEqual(first)
  expect(first.length).toBeGreaterThan(220)
  expect(first.length).toBeLessThan(380)
})

test('@after and @until count from when the script was set', () => {
  const clock = new ManualClock()
  clock.advance(5000)
  const faults = script(['hang@after=10s@until=20s'], clock)
  expect(hits(faults, 1)).toEqual([])
  clock.advance(10_000)
  expect(hits(faults, 1)).toEqual([1])
  clock.advance(10_000)
  expect(hits(faults, 1)).toEqual([])
})

test('refuse is no fault of a request, and says when it begins and ends', () => {
  const clock = new ManualClock()
  const faults = script(['refuse@after=10s@until=60s'], clock)
  expect(hits(faults, 1)).toEqual([])
  expect([faults.refusesNow(), faults.refusalChangesInMs()]).toEqual([false, 10_000])
  clock.advance(10_000)
  expect([faults.refusesNow(), faults.refusalChangesInMs()]).toEqual([true, 50_000])
  clock.advance(50_000)
  expect([faults.refusesNow(), faults.refusalChangesInMs()]).toEqual([false, null])
})

test('reject-prefill only meets requests that end with the assistant', () => {
  const faults = script(['reject-prefill@first'])
  expect(faults.forRequest(request)).toEqual([])
  expect(faults.forRequest({ ...request, hasPrefill: true })).toHaveLength(1)
})

test('the description counts how often each fault has struck', () => {
  const faults = script(['hang@every=2'])
  hits(faults, 5)
  expect(faults.describe()).toEqual([{ fault: 'hang@every=2', fired: 2 }])
})
