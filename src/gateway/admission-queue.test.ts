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

/** A queue, what happened in it in order, and how much room each group finds. */
function observed() {
  const queue = new AdmissionQueue()
  const events: string[] = []
  const room = new Map<string, number>()
  const enqueue = (name: string, group: string | null, own = limits, model = 'm') =>
    queue.enqueue(
      {
        model: modelName(model),
        group,
        tryNow: () => {
          const left = room.get(group ?? name) ?? 0
          events.push(left > 0 ? `${name} goes` : `${name} finds no room`)
          room.set(group ?? name, left - 1)
          return left > 0
        },
        onTimeout: () => events.push(`${name} gives up`),
      },
      own,
    )
  return { queue, events, room, enqueue }
}

test('who waits longest goes first, whatever the model', () => {
  const { queue, events, room, enqueue } = observed()
  enqueue('first', 'a', limits, 'a')
  enqueue('second', 'b', limits, 'b')
  enqueue('third', 'a', limits, 'a')
  room.set('a', 2)
  room.set('b', 1)
  queue.wake()
  expect(events).toEqual(['first goes', 'second goes', 'third goes'])
  expect(queue.length).toBe(0)
  expect(vi.getTimerCount()).toBe(0)
})

test('one that finds no room does not hold up those of another group', () => {
  const { queue, events, room, enqueue } = observed()
  enqueue('tried elsewhere', null)
  enqueue('other', 'a')
  room.set('a', 1)
  queue.wake()
  expect(events).toEqual(['tried elsewhere finds no room', 'other goes'])
  expect(queue.length).toBe(1)
})

test('once one of a group finds no room, the others of it are not asked', () => {
  const { queue, events, enqueue } = observed()
  for (const name of ['first', 'second', 'third']) enqueue(name, 'a')
  enqueue('alone', null)
  enqueue('alone too', null)
  queue.wake()
  expect(events).toEqual(['first finds no room', 'alone finds no room', 'alone too finds no room'])
  expect(queue.length).toBe(5)
})

test('waiting ends at its limit, once, and frees its place', () => {
  const { queue, events, room, enqueue } = observed()
  enqueue('short', 'a', { maxRequests: 100, timeoutMs: 500 })
  enqueue('long', 'a')
  vi.advanceTimersByTime(499)
  expect(events).toEqual([])
  vi.advanceTimersByTime(1)
  expect(events).toEqual(['short gives up'])
  expect(queue.length).toBe(1)
  room.set('a', 5)
  queue.wake()
  vi.advanceTimersByTime(10_000)
  expect(events).toEqual(['short gives up', 'long goes'])
})

test('one that leaves is asked no more and gives up no more', () => {
  const { queue, events, room, enqueue } = observed()
  const leave = enqueue('one', 'a')
  leave()
  leave()
  expect(vi.getTimerCount()).toBe(0)
  room.set('a', 1)
  queue.wake()
  vi.advanceTimersByTime(10_000)
  expect([events, queue.length]).toEqual([[], 0])
})

test('a full queue refuses, and says how many wait', () => {
  const { queue, enqueue } = observed()
  const two = { maxRequests: 2, timeoutMs: 1_000 }
  const leave = enqueue('first', 'a', two)
  enqueue('second', 'a', two)
  try {
    enqueue('third', 'a', two)
    expect.unreachable('the third is refused')
  } catch (error) {
    expect(error).toBeInstanceOf(MotleyError)
    expect(error).toMatchObject({ code: 'queue_full', retryAfterSeconds: 1 })
    expect((error as MotleyError).message).toContain('2 requests wait already')
  }
  leave()
  enqueue('fourth', 'a', two)
  expect(queue.length).toBe(2)
})

test('the queue tells how many wait for a model, and whether any of a group does', () => {
  const { queue, enqueue } = observed()
  enqueue('first', 'a', limits, 'llama')
  enqueue('second', null, limits, 'llama')
  enqueue('third', 'b', limits, 'qwen')
  expect([queue.lengthOf(modelName('llama')), queue.lengthOf(modelName('qwen'))]).toEqual([2, 1])
  expect([queue.has('a'), queue.has('b'), queue.has('c')]).toEqual([true, true, false])
})
