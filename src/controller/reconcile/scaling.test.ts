import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  nextScale,
  nothingSeen,
  type ScaleMemory,
  type ScaleView,
} from '#controller/reconcile/scaling.ts'

const quiet: ScaleView = {
  min: 1,
  max: 4,
  wanted: 1,
  ready: 1,
  slots: 4,
  inFlight: 0,
  waiting: 0,
  oldestWaitMs: 0,
  expectedWaitMs: null,
  startMs: () => null,
  idleMs: 0,
  sleepAfterMs: 900_000,
}

/** The change after the same was seen every 5 s for so long; null when there was none. */
function changeAfter(seconds: number, view: Partial<ScaleView>) {
  let memory: ScaleMemory = nothingSeen
  for (let nowMs = 0; nowMs <= seconds * 1_000; nowMs += 5_000) {
    const outcome = nextScale({ ...quiet, ...view }, memory, nowMs)
    if (outcome.change !== null) return outcome.change
    memory = outcome.memory
  }
  return null
}

describe('up', () => {
  test('four of four slots for 15 s: one more', () => {
    expect(changeAfter(14, { inFlight: 4 })).toBeNull()
    expect(changeAfter(15, { inFlight: 4 })).toEqual({
      wanted: 2,
      because: '4 requests for 4 slots over 15 s',
    })
  })

  test('three of four slots: none, however long', () => {
    expect(changeAfter(600, { inFlight: 3 })).toBeNull()
  })

  test('somebody who waits for a second counts, whatever the slots say', () => {
    expect(changeAfter(15, { inFlight: 1, waiting: 1, oldestWaitMs: 1_000 })?.wanted).toBe(2)
  })

  test('who waits for longer than a start takes need not wait for the load to last', () => {
    const waits = { inFlight: 4, waiting: 2, oldestWaitMs: 6_000 }
    expect(changeAfter(0, { ...waits, startMs: () => 5_000 })).toEqual({
      wanted: 2,
      because: 'somebody has waited 6 s, and another replica starts in 5 s',
    })
    for (const ms of [7_000, null]) {
      expect(changeAfter(10, { ...waits, startMs: () => ms })).toBeNull()
    }
    // Who is going to wait for longer is served sooner by the start, too.
    expect(
      changeAfter(0, { ...waits, oldestWaitMs: 100, expectedWaitMs: 9_000, startMs: () => 5_000 }),
    ).toEqual({
      wanted: 2,
      because: 'who asks now waits 9 s, and another replica starts in 5 s',
    })
    expect(changeAfter(10, { ...waits, expectedWaitMs: 6_500, startMs: () => 7_000 })).toBeNull()
    // The reason is the wait that counted, also where a start takes no time to speak of.
    expect(
      changeAfter(0, { ...waits, oldestWaitMs: 400, expectedWaitMs: 5_000, startMs: () => 300 }),
    ).toMatchObject({ because: expect.stringContaining('who asks now waits 5 s') })
    // Nor is a start of no time begun for a wait that nobody notices.
    expect(changeAfter(0, { ...waits, oldestWaitMs: 500, startMs: () => 0 })).toBeNull()
    expect(changeAfter(60, { ...waits, startMs: () => 5_000, ready: 1, wanted: 2 })).toBeNull()
  })

  test('what a start takes is asked only where somebody waits for long, and one more is allowed', () => {
    const startMs = () => {
      throw new Error('asked for nothing')
    }
    const busy = { inFlight: 4, startMs }
    expect(changeAfter(600, { startMs })).toBeNull()
    expect(changeAfter(10, { ...busy, waiting: 2, oldestWaitMs: 900 })).toBeNull()
    const waits = { ...busy, waiting: 2, oldestWaitMs: 9_000 }
    expect(changeAfter(600, { ...waits, max: 1 })).toBeNull()
    expect(changeAfter(600, { ...waits, wanted: 2 })).toBeNull()
    expect(() => changeAfter(0, waits)).toThrow('asked for nothing')
  })

  test('a flood doubles at most, and never passes max', () => {
    expect(changeAfter(15, { inFlight: 4, waiting: 100 })?.wanted).toBe(2)
    const two = { wanted: 2, ready: 2, inFlight: 8, waiting: 100 }
    expect(changeAfter(15, two)?.wanted).toBe(4)
    expect(changeAfter(15, { ...two, max: 3 })?.wanted).toBe(3)
    expect(changeAfter(600, { wanted: 4, ready: 4, inFlight: 16, waiting: 100 })).toBeNull()
  })

  test('nothing is added while what was added last is still on its way', () => {
    expect(
      changeAfter(600, { wanted: 2, ready: 1, inFlight: 4, waiting: 9, oldestWaitMs: 9_000 }),
    ).toBeNull()
  })

  test('a burst that ends is forgotten', () => {
    const busy = nextScale({ ...quiet, inFlight: 4 }, nothingSeen, 0)
    const calm = nextScale(quiet, busy.memory, 10_000)
    expect(nextScale({ ...quiet, inFlight: 4 }, calm.memory, 15_000).change).toBeNull()
  })
})

describe('down', () => {
  test('half of what would be left, for 5 min: one less', () => {
    const two = { wanted: 2, ready: 2, inFlight: 2 }
    expect(changeAfter(299, two)).toBeNull()
    expect(changeAfter(300, two)).toEqual({
      wanted: 1,
      because: '2 requests for 8 slots over 5 min',
    })
    expect(changeAfter(600, { ...two, inFlight: 3 })).toBeNull()
  })

  test('not while somebody waits for long, also where max allows no more', () => {
    const calm = { wanted: 4, ready: 4, inFlight: 1, waiting: 1 }
    expect(changeAfter(600, { ...calm, oldestWaitMs: 2_000 })).toBeNull()
    expect(changeAfter(600, calm)?.wanted).toBe(3)
  })

  test('never below min', () => {
    expect(changeAfter(600, { min: 2, wanted: 2, ready: 2 })).toBeNull()
  })
})

describe('sleep', () => {
  const asleep = { min: 0, wanted: 0, ready: 0 }

  test('with min 0, after nobody has asked for sleepAfterMs', () => {
    expect(changeAfter(5, { min: 0, idleMs: 899_999 })).toBeNull()
    expect(changeAfter(5, { min: 0, idleMs: 900_000 })).toEqual({
      wanted: 0,
      because: 'nobody has asked for 15 min',
    })
    expect(changeAfter(5, { idleMs: 900_000 })).toBeNull()
    expect(changeAfter(5, { min: 0, idleMs: 5_000, sleepAfterMs: 5_000 })?.because).toBe(
      'nobody has asked for 5 s',
    )
  })

  test('never while an answer is under way', () => {
    expect(changeAfter(600, { min: 0, idleMs: 900_000, inFlight: 1 })).toBeNull()
  })

  test('a request wakes it at once', () => {
    expect(changeAfter(0, { ...asleep, waiting: 1 })).toEqual({
      wanted: 1,
      because: 'somebody asks for it',
    })
    expect(changeAfter(600, asleep)).toBeNull()
  })
})

test('whatever is asked, it stays between min and max, and never swings within five minutes', () => {
  const step = fc.record({
    inFlight: fc.nat(40),
    waiting: fc.nat(40),
    oldestWaitMs: fc.nat(20_000),
    startMs: fc.option(fc.nat(20_000)).map((ms) => () => ms),
  })
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 200 }), (steps) => {
      let memory: ScaleMemory = nothingSeen
      let wanted = 1
      let raisedAtMs = Number.NEGATIVE_INFINITY
      for (const [index, load] of steps.entries()) {
        const nowMs = index * 5_000
        const outcome = nextScale({ ...quiet, ...load, wanted, ready: wanted }, memory, nowMs)
        memory = outcome.memory
        if (outcome.change === null) continue
        expect(outcome.change.wanted).toBeGreaterThanOrEqual(quiet.min)
        expect(outcome.change.wanted).toBeLessThanOrEqual(quiet.max)
        if (outcome.change.wanted > wanted) raisedAtMs = nowMs
        else expect(nowMs - raisedAtMs).toBeGreaterThanOrEqual(300_000)
        wanted = outcome.change.wanted
      }
    }),
  )
})
