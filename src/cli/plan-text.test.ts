import { expect, test } from 'vitest'
import { unplacedLines } from '#cli/plan-text.ts'
import type { Blocker } from '#placement/fit.ts'

const blocker = (check: string, what: string): Blocker => ({
  ...{ check, what, unlockedBy: null },
})

const linesOf = (because: readonly Blocker[]) =>
  unplacedLines({ deployment: 'chat', missing: 1, because, waitsFor: [] }).slice(1)

const recording = blocker('recording', 'box is a recording of a machine, and runs nothing')

test('a recording is no reason beside those of machines, and the reason where there are none', () => {
  expect(linesOf([recording, blocker('memory', 'too small')])).toEqual(['    memory: too small'])
  expect(linesOf([recording])).toHaveLength(1)
})

test('of many reasons the first are told, and where the others are', () => {
  const many = Array.from({ length: 9 }, (_, at) => blocker('memory', `reason ${at}`))
  expect(linesOf(many)).toHaveLength(6)
  expect(linesOf(many).at(-1)).toContain('and 4 more: "motley why-not chat <node>"')
  expect(linesOf(many.slice(0, 6)).at(-1)).toContain('reason 5')
})
