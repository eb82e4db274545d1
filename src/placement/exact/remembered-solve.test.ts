import { expect, test } from 'vitest'
import { rememberedSolve } from '#placement/exact/remembered-solve.ts'
import type { LinearSolution } from '#std/linear-program.ts'

const unproven: LinearSolution = {
  kind: 'feasible',
  objective: 1,
  values: new Map(),
  gapRatio: Number.POSITIVE_INFINITY,
}

function counted() {
  const asked: string[] = []
  const solve = rememberedSolve((text, gapRatio = 1) => {
    asked.push(`${text} within ${gapRatio}`)
    return text === 'impossible' ? null : unproven
  })
  return { asked, solve }
}

test('what was asked lately is answered without the solver, proven or not', () => {
  const { asked, solve } = counted()
  expect([solve('a'), solve('impossible')]).toEqual([unproven, null])
  expect([solve('a'), solve('impossible')]).toEqual([unproven, null])
  expect(asked).toEqual(['a within 1', 'impossible within 1'])
})

test('from how near the optimum on a solution is good enough is a part of the question', () => {
  const { asked, solve } = counted()
  for (const gapRatio of [0, 0.1, 0]) solve('a', gapRatio)
  expect(asked).toEqual(['a within 0', 'a within 0.1'])
})

test('four questions are remembered: those that were asked last', () => {
  const { asked, solve } = counted()
  for (const text of ['a', 'b', 'a', 'c', 'd', 'e', 'a']) solve(text)
  expect(asked.map(([text]) => text)).toEqual(['a', 'b', 'c', 'd', 'e'])
  solve('b')
  expect(asked.at(-1)).toBe('b within 1')
})
