import { expect, test } from 'vitest'
import { LearntRoom } from '#routing/fastest/learnt-room.ts'

const inTime = { promptTokens: 1_000, tookMs: 300, predictedMs: 300 }
const waited = { promptTokens: 1_000, tookMs: 5_000, predictedMs: 300 }

/** One that had room for so many requests of a thousand tokens each. */
function proven(requests: number): LearntRoom {
  const room = new LearntRoom()
  for (let beside = 1; beside < requests; beside++) {
    room.learn({ requests: beside, tokens: 1_000 * beside, ...inTime })
  }
  return room
}

test('there is room for anything until a prompt had to wait', () => {
  const room = proven(40)
  expect([room.seats, room.kvTokens]).toEqual([Infinity, Infinity])
  room.learn({ requests: 40, tokens: 30_000, ...waited })
  expect(room.seats).toBe(40)
})

test('a prompt that waits beside more requests than ever had room waits for a seat', () => {
  const room = proven(40)
  room.learn({ requests: 40, tokens: 40_000, ...waited })
  expect([room.seats, room.kvTokens]).toEqual([40, Infinity])
})

test('one that waits beside fewer, with more tokens than ever, waits for KV cache', () => {
  const room = proven(40)
  room.learn({ requests: 20, tokens: 45_000, ...waited })
  expect([room.seats, room.kvTokens]).toEqual([Infinity, 45_000])
})

test('one late first token of an endpoint that proved to hold more takes a fifth at most', () => {
  const room = proven(40)
  room.learn({ requests: 1, tokens: 1_000, ...waited })
  expect([room.seats, room.kvTokens]).toEqual([32, 32_000])
})

test('a prompt that is alone and late says nothing of room', () => {
  const room = new LearntRoom()
  room.learn({ requests: 0, tokens: 0, ...waited })
  expect(room.seats).toBe(Infinity)
})

test('room that was taken away comes back while it is asked for, and not otherwise', () => {
  const room = proven(40)
  room.learn({ requests: 20, tokens: 20_000, ...waited })
  const shrunk = room.kvTokens
  for (let at = 0; at < 100; at++) room.learn({ requests: 4, tokens: 4_000, ...inTime })
  expect(room.kvTokens).toBe(shrunk)
  for (let at = 0; at < 100; at++) room.learn({ requests: 31, tokens: shrunk, ...inTime })
  expect(room.kvTokens).toBeGreaterThan(1.1 * shrunk)
})
