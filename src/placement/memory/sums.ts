export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}

/** Of the numbers from `begin` up to, and without, `end`. */
export function sumOfRange(numbers: readonly number[], begin: number, end: number): number {
  let total = 0
  for (let index = begin; index < Math.min(end, numbers.length); index += 1) {
    total += numbers[index] ?? 0
  }
  return total
}
