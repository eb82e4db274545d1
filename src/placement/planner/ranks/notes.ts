import type { Rank } from '#placement/planner/ranks/rank.ts'

/** Everything that fit has to tell a user is a reason to look for a place without it. */
const secondsEach = 0.25

export const notes: Rank = {
  name: 'notes',
  seconds: ({ fit }) => fit.notes.length * secondsEach,
}
