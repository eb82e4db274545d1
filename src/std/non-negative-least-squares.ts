/**
 * Weighted least squares whose solution has no negative part:
 *
 *     minimize  Σ weight × (features · x − value)²    with x ≥ 0
 *
 * Rows are added one by one and not kept, so there may be any number of them. The method is Lawson
 * and Hanson's, on the normal equations: variables are freed from zero one by one, each time the one
 * that promises most, and the free ones that would become negative go back to it.
 */
export class NonNegativeLeastSquares {
  readonly #products: Float64Array
  readonly #values: Float64Array
  readonly #count: number

  constructor(variables: number) {
    this.#count = variables
    this.#products = new Float64Array(variables * variables)
    this.#values = new Float64Array(variables)
  }

  add(features: ArrayLike<number>, value: number, weight: number): void {
    const count = this.#count
    for (let row = 0; row < count; row++) {
      const one = weight * (features[row] as number)
      if (one === 0) continue
      this.#values[row]! += one * value
      for (let column = 0; column < count; column++) {
        this.#products[row * count + column]! += one * (features[column] as number)
      }
    }
  }

  /** A variable of which no row says anything, or nothing above rounding to zero, is 0. */
  solve(): Float64Array {
    const free: number[] = []
    let solution = new Float64Array(this.#count)
    for (let round = 0; round < roundsMax(this.#count); round++) {
      const next = this.#mostPromising(solution, free)
      if (next === null) break
      free.push(next)
      for (;;) {
        const wanted = this.#solveFor(free)
        const negative = free.filter((at) => (wanted[at] as number) <= 0)
        const partOf = (at: number) => partUntilZero(solution[at] as number, wanted[at] as number)
        const part = negative.reduce((least, at) => Math.min(least, partOf(at)), 1)
        const back = negative.filter((at) => partOf(at) <= part)
        solution = solution.map((from, at) => from + part * ((wanted[at] as number) - from))
        if (back.length === 0) break
        for (const at of back) {
          solution[at] = 0
          free.splice(free.indexOf(at), 1)
        }
      }
    }
    return solution
  }

  /** The variable at zero whose growth lowers the sum of squares most; null where none does. */
  #mostPromising(solution: Float64Array, free: readonly number[]): number | null {
    const count = this.#count
    let best: number | null = null
    let most = tolerance
    for (let row = 0; row < count; row++) {
      const square = this.#products[row * count + row] as number
      if (square < squareMin || free.includes(row)) continue
      let gain = this.#values[row] as number
      for (let column = 0; column < count; column++) {
        gain -= (this.#products[row * count + column] as number) * (solution[column] as number)
      }
      // By what it lowers the sum, as a part of what the variable alone could.
      const ratio = gain / Math.max(Math.abs(this.#values[row] as number), Number.MIN_VALUE)
      if (ratio <= most) continue
      most = ratio
      best = row
    }
    return best
  }

  /** Without the condition, for some of the variables: Cholesky's way. */
  #solveFor(free: readonly number[]): Float64Array {
    const { length } = free
    const lower = new Float64Array(length * length)
    const product = (row: number, column: number) =>
      this.#products[(free[row] as number) * this.#count + (free[column] as number)] as number
    for (let row = 0; row < length; row++) {
      for (let column = 0; column <= row; column++) {
        let sum = product(row, column)
        for (let at = 0; at < column; at++) {
          sum -= (lower[row * length + at] as number) * (lower[column * length + at] as number)
        }
        lower[row * length + column] =
          row === column
            ? Math.sqrt(Math.max(sum, ridge * product(row, row)))
            : sum / (lower[column * length + column] as number)
      }
    }
    const half = new Float64Array(length)
    for (let row = 0; row < length; row++) {
      let sum = this.#values[free[row] as number] as number
      for (let at = 0; at < row; at++)
        sum -= (lower[row * length + at] as number) * (half[at] as number)
      half[row] = sum / (lower[row * length + row] as number)
    }
    const solution = new Float64Array(this.#count)
    for (let row = length - 1; row >= 0; row--) {
      let sum = half[row] as number
      for (let at = row + 1; at < length; at++) {
        sum -= (lower[at * length + row] as number) * (solution[free[at] as number] as number)
      }
      solution[free[row] as number] = sum / (lower[row * length + row] as number)
    }
    return solution
  }
}

/** How far one may go from a positive value to a negative one. */
const partUntilZero = (from: number, to: number) => (from <= 0 ? 0 : from / (from - to))

/** A gain below this part of what there was is a rounding. */
const tolerance = 1e-10
/** Variables that say the same are parted by a rounding and not by a division by zero. */
const ridge = 1e-13
/** The square of a feature that is smaller has lost its digits, and {@link ridge} of it would be zero. */
const squareMin = Number.MIN_VALUE / ridge / Number.EPSILON
/** Each round frees one, and few go back: three times as many is what Lawson and Hanson allow. */
const roundsMax = (variables: number) => 3 * variables
