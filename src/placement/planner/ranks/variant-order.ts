import type { Rank } from '#placement/planner/ranks/rank.ts'

/** Users put the variant first that they like best; speed and memory may still outweigh it. */
const secondsEach = 0.2

export const variantOrder: Rank = {
  name: 'variant',
  seconds: ({ variantIndex }) => variantIndex * secondsEach,
}
