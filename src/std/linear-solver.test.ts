import { expect, test } from 'vitest'
import { loadLinearSolver } from '#std/linear-solver.ts'

const limits = { iterationsMax: () => 1_000, gapRatio: 1e-4 }

test('a program that cannot be read has no answer, and the next one is solved', async () => {
  const solve = await loadLinearSolver(limits)
  expect(solve('Minimize\n obj: NaN x0\nSubject To\n r0: NaN x0 >= NaN\nEnd')).toBeNull()
  const solution = solve('Minimize\n obj: x0\nSubject To\n r0: x0 >= 3\nEnd')
  expect(solution).toMatchObject({ kind: 'optimal', objective: 3, gapRatio: 0 })
  expect(solution?.values.get('x0')).toBe(3)
})

test('a program that cannot be met has no answer', async () => {
  const solve = await loadLinearSolver(limits)
  expect(solve('Minimize\n obj: x0\nSubject To\n r0: x0 >= 3\nBounds\n x0 <= 1\nEnd')).toBeNull()
})

/** Weights and values that make a knapsack with many rows hard: pseudo-random, the same each time. */
function knapsack(items: number, rows: number): string {
  let state = 7
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return 1 + (state % 997)
  }
  const sum = () => Array.from({ length: items }, (_, at) => ` + ${next()} x${at}`).join('\n')
  const all = Array.from({ length: items }, (_, at) => ` x${at}`)
  const limit = items * 125
  const subject = Array.from({ length: rows }, (_, at) => ` r${at}:${sum()} <= ${limit}`)
  return ['Maximize', ` obj:${sum()}`, 'Subject To', ...subject, 'Binary', ...all, 'End'].join('\n')
}

test('one that is given up is so after the same work, with the same answer', async () => {
  const program = knapsack(30, 5)
  const little = await loadLinearSolver({ iterationsMax: () => 100, gapRatio: 0 })
  const once = little(program)
  expect(once?.kind).toBe('feasible')
  expect(once?.gapRatio).toBeGreaterThan(0)
  expect(little(program)).toEqual(once)
  const more = await loadLinearSolver({ iterationsMax: () => 1_000, gapRatio: 0 })
  expect(more(program)?.gapRatio).toBeLessThan(once?.gapRatio ?? 0)
})
