import type { Rank } from '#placement/planner/ranks/rank.ts'

/** From here down answers get visibly worse; four bits with their scales are 4.25. */
const bitsEnough = 4.2

/** A bit below is worth more than any speed it may bring. */
const secondsEachBit = 30

export const quality: Rank = {
  name: 'quality',
  seconds({ deployment, variantIndex }) {
    const bits = deployment.variants[variantIndex]?.facts?.bitsPerWeight ?? bitsEnough
    return Math.max(0, bitsEnough - bits) * secondsEachBit
  },
}
