import { expect, test } from 'vitest'
import { type EndpointId, endpointId } from '#core/ids.ts'
import type { Constraint } from '#routing/constraint.ts'
import { withContextRoom } from '#routing/context-room.ts'

const [small, large, unknown] = ['small', 'large', 'unknown'].map(endpointId) as [
  EndpointId,
  EndpointId,
  EndpointId,
]
const two = new Map([
  [small, 2_048],
  [large, 8_192],
])

test.each([
  { needed: 1_000, kept: 'all' },
  { needed: 2_100, kept: 'all, for the estimate may be off by so much' },
  { needed: 5_000, kept: 'large' },
  { needed: 50_000, kept: 'large, whose engine counts and says no' },
])('$needed tokens may go to $kept', ({ needed, kept }) => {
  const constraint = withContextRoom(null, needed, two)
  expect(constraint?.refuse(large) ?? null).toBeNull()
  expect(constraint?.refuse(small) ?? null).toEqual(
    kept.startsWith('all') ? null : { kind: 'context', neededTokens: needed, contextTokens: 2_048 },
  )
})

test('a context that nobody knows may hold anything', () => {
  const contexts = new Map([...two, [unknown, null] as const])
  const constraint = withContextRoom(null, 50_000, contexts)
  expect(constraint?.refuse(unknown)).toBeNull()
  expect(constraint?.refuse(large)?.kind).toBe('context')
})

test('where the long one is forbidden, the longest of the others may try', () => {
  const base: Constraint = {
    group: 'rules',
    refuse: (id) => (id === large ? { kind: 'rule', rule: 1, why: 'is not metal' } : null),
    misses: () => 0,
  }
  expect(withContextRoom(base, 50_000, two)).toBe(base)
})

test('requests that the same endpoints hold wait together, and apart from shorter ones', () => {
  const groupOf = (needed: number) => withContextRoom(null, needed, two)?.group ?? null
  expect(groupOf(1_000)).toBeNull()
  expect(groupOf(5_000)).toBe(groupOf(6_000))
})
