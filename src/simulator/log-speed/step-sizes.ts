/**
 * The time of a step by its size, as what is learnt: what the smallest step takes, and what each
 * further size takes more than the one before; between two sizes in proportion.
 *
 *   ms(tokens) = increase[0] + Σ increase[k] × part of the way from size k − 1 to size k
 */

/** Tokens in a step. Kernels change between such sizes, and no step of an engine is much larger. */
export const stepSizes = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048] as const

/** Adds to `parts`, which has a place for each size, the parts of the way that a step has gone. */
export function addStep(parts: Float64Array, tokens: number, times: number): void {
  parts[0]! += times
  for (let at = 1; at < stepSizes.length; at++) {
    const from = stepSizes[at - 1] as number
    if (tokens <= from) return
    const to = stepSizes[at] as number
    // Beyond the largest it goes on as it ended.
    const part = (tokens - from) / (to - from)
    parts[at]! += times * (at === stepSizes.length - 1 ? part : Math.min(1, part))
  }
}
