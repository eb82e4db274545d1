import type { Rank } from '#placement/planner/ranks/rank.ts'

/** Between engines that are alike in speed, the order of the catalog decides. */
const secondsEach = 0.02

export const engineOrder: Rank = {
  name: 'engine',
  seconds: ({ engineIndex }) => engineIndex * secondsEach,
}
