import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { MotleyError } from '#core/errors.ts'
import { modelName } from '#core/ids.ts'
import { AdmissionQueue } from '#gateway/admission-queue.ts'

const limits = { maxRequests: 100, timeoutMs: 1_000 }

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

/** A queue, what happened in it in order, and whose wait is over once it is asked. */
function observed() {
  const queue = new AdmissionQueue()
  const events: string[] = []
  const there = new Set<string>()
  const enqueue = (name: string, own = limits, model = 'm') =>
    queue.enqueue(
      {
        model: modelName(model),
        tryNow: () => {
          events.push(there.has(name) ? `${name} goes` : `${name} waits on`)
          return there.has(name)
        },
        onTimeout: () => events.push(`${name} gives up`),
      },
      own,
    )
  return { queue, events, there, enqueue }
}

test('who waits longest is asked first, and one that waits on holds up nobody', () => {
  const { queue, events, there, enqueue } = observed()
  for (const name of ['first', 'second', 'third']) enqueue(name)
  there.add('first').add('third')
  queue.wake()
  expect(events).toEqual(['first goes', 'second waits on', 'third goes'])
  expect([queue.length, vi.getTimerCount()]).toEqual([1, 1])
})

test('waiting ends at its limit, once, and frees its place', () => {
  const { queue, events, there, enqueue } = observed()
  enqueue('short', { maxRequests: 100, timeoutMs: 500 })
  enqueue('long')
  vi.advanceTimersByTime(499)
  expect(events).toEqual([])
  vi.advanceTimersByTime(1)
  expect(events).toEqual(['short gives up'])
  expect(queue.length).toBe(1)
  there.add('long')
  queue.wake()
  vi.advanceTimersByTime(10_000)
  expect(events).toEqual(['short gives up', 'long goes'])
})

test('one that leaves is asked no more and gives up no more', () => {
  const { queue, events, there, enqueue } = observed()
  const leave = enqueue('one')
  leave()
  leave()
  expect(vi.getTimerCount()).toBe(0)
  there.add('one')
  queue.wake()
  vi.advanceTimersByTime(10_000)
  expect([events, queue.length]).toEqual([[], 0])
})

test('a full queue refuses, and says how many wait', () => {
  const { queue, enqueue } = observed()
  const two = { maxRequests: 2, timeoutMs: 1_000 }
  const leave = enqueue('first', two)
  enqueue('second', two)
  try {
    enqueue('third', two)
    expect.unreachable('the third is refused')
  } catch (error) {
    expect(error).toBeInstanceOf(MotleyError)
    expect(error).toMatchObject({ code: 'queue_full', retryAfterSeconds: 1 })
    expect((error as MotleyError).message).toContain('2 requests wait already')
  }
  leave()
  enqueue('fourth', two)
  expect(queue.length).toBe(2)
})

test('the queue tells how many wait for a model', () => {
  const { queue, enqueue } = observed()
  enqueue('first', limits, 'llama')
  enqueue('second', limits, 'llama')
  enqueue('third', limits, 'qwen')
  expect([queue.lengthOf(modelName('llama')), queue.lengthOf(modelName('qwen'))]).toEqual([2, 1])
})
