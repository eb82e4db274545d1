import { describe, expect, test } from 'vitest'
import { outlookOf, type Progress } from '#controller/reconcile/carry-out.ts'
import type { PlanStep } from '#placement/plan.ts'

/** Only what carrying out looks at. */
function step(kind: 'start' | 'stop', id: string, ...after: readonly string[]): PlanStep {
  return { kind, step: `${kind} ${id}`, after, replica: { id } } as unknown as PlanStep
}

/** A move: the old one ends when the new one is ready, and then another one has its place. */
const move = [
  step('start', 'new'),
  step('stop', 'old', 'start new'),
  step('start', 'next', 'stop old'),
]

interface Seen {
  readonly wanted?: readonly string[]
  readonly ready?: readonly string[]
  readonly there?: readonly string[]
}

function outlook(steps: readonly PlanStep[], { wanted = [], ready = [], there = [] }: Seen) {
  const progress: Progress = {
    isWanted: (id) => wanted.includes(id),
    isReady: (id) => ready.includes(id),
    isThere: ({ id }) => there.includes(id),
  }
  const { next, underWay, isOver } = outlookOf(steps, progress)
  return { next: next.map((one) => one.step), underWay: underWay.map((one) => one.step), isOver }
}

describe('a step begins when those that it names are done', () => {
  test.each<Seen & { what: string; next: string[]; underWay: string[]; isOver?: boolean }>([
    { what: 'nothing was done', wanted: ['old'], next: ['start new'], underWay: [] },
    {
      what: 'the new one is on its way',
      wanted: ['old', 'new'],
      next: [],
      underWay: ['start new'],
    },
    {
      what: 'the new one is ready',
      wanted: ['old', 'new'],
      ready: ['new'],
      next: ['stop old'],
      underWay: [],
    },
    {
      what: 'the old one is told to end, and still there',
      wanted: ['new'],
      ready: ['new'],
      there: ['old'],
      next: [],
      underWay: ['stop old'],
    },
    {
      what: 'the old one has gone',
      wanted: ['new'],
      ready: ['new'],
      next: ['start next'],
      underWay: [],
    },
    {
      what: 'all are ready',
      wanted: ['new', 'next'],
      ready: ['new', 'next'],
      next: [],
      underWay: [],
      isOver: true,
    },
  ])('$what', ({ what: _, next, underWay, isOver = false, ...seen }) => {
    expect(outlook(move, seen)).toEqual({ next, underWay, isOver })
  })
})

test('a step that waits for one the plan does not have waits for nothing', () => {
  expect(outlook([step('start', 'a', 'stop b')], {}).next).toEqual(['start a'])
})

test('a plan without steps is over', () => {
  expect(outlook([], {}).isOver).toBe(true)
})

test('a ready one that falls back holds up what waits for it', () => {
  expect(outlook(move, { wanted: ['old', 'new'], there: ['new'] }).next).toEqual([])
})
