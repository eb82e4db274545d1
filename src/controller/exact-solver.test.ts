import { expect, test } from 'vitest'
import { loadExactSolver } from '#controller/exact-solver.ts'

test('a program that cannot be read has no answer, and the next one is solved', async () => {
  const solve = await loadExactSolver()
  expect(solve('Minimize\n obj: NaN x0\nSubject To\n r0: NaN x0 >= NaN\nEnd')).toBeNull()
  const solution = solve('Minimize\n obj: x0\nSubject To\n r0: x0 >= 3\nEnd')
  expect(solution?.values.get('x0')).toBe(3)
})
