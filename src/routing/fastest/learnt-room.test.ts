import { expect, test } from 'vitest'
import { LearntRoom } from '#routing/fastest/learnt-room.ts'

const inTime = { tookMs: 300, predictedMs: 300 }
const waited = { tookMs: 5_000, predictedMs: 300 }

test('there is room for anything until a prompt had to wait', () => {
  const room = new LearntRoom()
  for (let requests = 1; requests <= 40; requests++) {
    room.learn({ requests, tokens: 1_000 * requests, ...inTime })
  }
  expect([room.seats, room.kvTokens]).toEqual([Infinity, Infinity])
  room.learn({ requests: 40, tokens: 40_000, ...waited })
  expect([room.seats, room.kvTokens]).toEqual([40, 40_000])
})

test('one late first token of an endpoint that proved to hold more takes a fifth at most', () => {
  const room = new LearntRoom()
  room.learn({ requests: 40, tokens: 40_000, ...inTime })
  room.learn({ requests: 1, tokens: 1_000, ...waited })
  expect(room.kvTokens).toBe(32_000)
})

test('a prompt that is alone and late says nothing of room', () => {
  const room = new LearntRoom()
  room.learn({ requests: 0, tokens: 0, ...waited })
  expect(room.seats).toBe(Infinity)
})

test('room that was taken away comes back while it is asked for, and not otherwise', () => {
  const room = new LearntRoom()
  room.learn({ requests: 40, tokens: 40_000, ...inTime })
  room.learn({ requests: 20, tokens: 20_000, ...waited })
  const shrunk = room.kvTokens
  for (let at = 0; at < 100; at++) room.learn({ requests: 4, tokens: 4_000, ...inTime })
  expect(room.kvTokens).toBe(shrunk)
  for (let at = 0; at < 100; at++) room.learn({ requests: 32, tokens: shrunk, ...inTime })
  expect(room.kvTokens).toBeGreaterThan(1.1 * shrunk)
})
