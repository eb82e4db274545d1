import type { Rank } from '#placement/planner/ranks/rank.ts'

/** What has to be set first is one more thing that somebody has to do right. */
const secondsEach = 0.25

/**
 * A start that may hang outweighs the slowest answer there is, that of a CPU, and gives way to having
 * no other place.
 */
const riskSeconds = 60

/** Ways that need nothing set come first, and those with a risk in it last. */
export const settings: Rank = {
  name: 'settings',
  seconds: ({ fit }) =>
    fit.setting.settings.reduce(
      (sum, { isRisky }) => sum + (isRisky === true ? riskSeconds : secondsEach),
      0,
    ),
}
