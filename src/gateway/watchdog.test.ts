import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Deadlines, type Phase, Watchdog } from '#gateway/watchdog.ts'

const deadlines: Deadlines = {
  connectMs: 100,
  firstByteMs: 1_000,
  betweenChunksMs: 300,
  writeStallMs: 600,
  totalAtMs: 1e9,
}

/** On the clock of fake timers an immediate takes this long: before it, what has come is heard. */
const hearingMs = 1

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

/** A watchdog on the clock of the timers, and what it said with the time at which it did. */
function observed(more: Partial<Deadlines> = {}) {
  const startedMs = performance.now()
  const nowMs = () => performance.now() - startedMs
  const expired: { what: Phase | 'total'; phaseLimitMs: number; atMs: number }[] = []
  const watchdog = new Watchdog({ ...deadlines, ...more }, nowMs, (what, phaseLimitMs) =>
    expired.push({ what, phaseLimitMs, atMs: nowMs() }),
  )
  return { watchdog, expired, note: (phase: Phase) => watchdog.note(phase, nowMs()) }
}

test('an endpoint that takes no connection is given up after connectMs', () => {
  const { expired } = observed()
  vi.advanceTimersByTime(99)
  expect(expired).toEqual([])
  vi.advanceTimersByTime(1 + hearingMs)
  expect(expired).toEqual([{ what: 'connect', phaseLimitMs: 100, atMs: 100 + hearingMs }])
})

test.each([
  { phase: 'first-byte', limitMs: 1_000 },
  { phase: 'between-chunks', limitMs: 300 },
  { phase: 'write-stall', limitMs: 600 },
] as const)('$phase has $limitMs ms from when it began', ({ phase, limitMs }) => {
  const { expired, note } = observed()
  vi.advanceTimersByTime(50)
  note(phase)
  vi.advanceTimersByTime(limitMs - 1)
  expect(expired).toEqual([])
  vi.advanceTimersByTime(1 + hearingMs)
  expect(expired).toEqual([{ what: phase, phaseLimitMs: limitMs, atMs: 50 + limitMs + hearingMs }])
})

test('a shorter phase that follows a long one is not kept waiting by its timer', () => {
  const { expired, note } = observed({ connectMs: 5_000, firstByteMs: 5_000 })
  note('first-byte')
  vi.advanceTimersByTime(10)
  note('between-chunks')
  vi.advanceTimersByTime(300 + hearingMs)
  expect(expired).toEqual([{ what: 'between-chunks', phaseLimitMs: 300, atMs: 310 + hearingMs }])
})

test('a stream that goes on is never cut, and costs one timer however many chunks it has', () => {
  const { watchdog, expired, note } = observed()
  note('first-byte')
  const schedule = vi.spyOn(globalThis, 'setTimeout')
  for (let count = 0; count < 10_000; count++) {
    vi.advanceTimersByTime(1)
    note('between-chunks')
  }
  // Ten seconds of a limit of 300 ms: a look at each, and not at each chunk.
  expect(schedule.mock.calls.length).toBeLessThan(50)
  expect(vi.getTimerCount()).toBe(1)
  expect(expired).toEqual([])
  vi.advanceTimersByTime(300 + hearingMs)
  expect(expired).toHaveLength(1)
  watchdog.stop()
  schedule.mockRestore()
})

test('what is noted while a limit is looked at is in time', () => {
  const { watchdog, expired, note } = observed()
  vi.advanceTimersByTime(100)
  note('connect')
  vi.advanceTimersByTime(99)
  expect(expired).toEqual([])
  vi.advanceTimersByTime(1)
  watchdog.stop()
  expect(vi.getTimerCount()).toBe(0)
  vi.advanceTimersByTime(60_000)
  expect(expired).toEqual([])
})

test('the whole request ends at its time, however well its phase goes', () => {
  const { expired, note } = observed({ totalAtMs: 750 })
  for (let count = 0; count < 20 && expired.length === 0; count++) {
    note('between-chunks')
    vi.advanceTimersByTime(50)
  }
  expect(expired).toMatchObject([{ what: 'total', atMs: 750 + hearingMs }])
})

test('a watchdog that was stopped says nothing and leaves no timer', () => {
  const { watchdog, expired, note } = observed()
  watchdog.stop()
  expect(vi.getTimerCount()).toBe(0)
  note('between-chunks')
  expect(vi.getTimerCount()).toBe(0)
  vi.advanceTimersByTime(60_000)
  expect(expired).toEqual([])
})
