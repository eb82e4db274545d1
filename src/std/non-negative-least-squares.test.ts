import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NonNegativeLeastSquares } from '#std/non-negative-least-squares.ts'

test('rows that agree have the solution that they were made of', () => {
  const squares = new NonNegativeLeastSquares(3)
  squares.add([1, 2, 0], 8, 1)
  squares.add([0, 1, 1], 3, 1)
  squares.add([1, 0, 5], 2, 1)
  squares.add([1, 1, 1], 5, 1)
  const [one, two, three] = squares.solve()
  expect(one).toBeCloseTo(2)
  expect(two).toBeCloseTo(3)
  expect(three).toBeCloseTo(0)
})

test('what would be negative is zero, and the others make the best of it', () => {
  const squares = new NonNegativeLeastSquares(2)
  squares.add([1, 0], 4, 1)
  squares.add([0, 1], -3, 1)
  squares.add([1, 1], 3, 1)
  const [one, two] = squares.solve()
  expect(one).toBeCloseTo(3.5)
  expect(two).toBe(0)
})

test('a row of more weight is held to more', () => {
  const squares = new NonNegativeLeastSquares(1)
  squares.add([1], 10, 3)
  squares.add([1], 2, 1)
  expect(squares.solve()[0]).toBeCloseTo(8)
})

test('a variable of which nothing is said is zero', () => {
  const squares = new NonNegativeLeastSquares(2)
  squares.add([2, 0], 6, 1)
  expect([...squares.solve()]).toEqual([3, 0])
})

test('a feature whose square is lost to rounding says nothing', () => {
  const squares = new NonNegativeLeastSquares(2)
  squares.add([1e-160, 2], 6, 1)
  squares.add([1e-161, 0], 1e-161, 1)
  expect([...squares.solve()]).toEqual([0, 3])
})

test('no step away from the solution lowers the sum of squares', () => {
  const value = fc.double({ min: -10, max: 10, noNaN: true })
  const row = fc.tuple(fc.array(value, { minLength: 4, maxLength: 4 }), value)
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 12 }), (rows) => {
      const squares = new NonNegativeLeastSquares(4)
      for (const [features, wanted] of rows) squares.add(features, wanted, 1)
      const solution = squares.solve()
      const sumAt = (point: ArrayLike<number>) =>
        rows.reduce((sum, [features, wanted]) => {
          const made = features.reduce((all, one, at) => all + one * (point[at] as number), 0)
          return sum + (made - wanted) ** 2
        }, 0)
      const least = sumAt(solution)
      for (let at = 0; at < 4; at++) {
        expect(solution[at]).toBeGreaterThanOrEqual(0)
        for (const step of [-0.01, 0.01]) {
          const moved = solution.with(at, Math.max(0, (solution[at] as number) + step))
          expect(sumAt(moved)).toBeGreaterThanOrEqual(least - 1e-6 * (1 + least))
        }
      }
    }),
  )
})
