import { missedTargets } from '#placement/planner/checks/targets.ts'
import type { Rank } from '#placement/planner/ranks/rank.ts'
import { answerSeconds, answerTokens } from '#placement/planner/typical-answer.ts'

/**
 * Faster than this many times its target is fast enough: the seconds beyond are better spent on
 * somebody who needs them.
 */
const headroom = 1.5

/** Where nobody can predict a speed: slower than any GPU, faster than a CPU with a large model. */
const unknownSeconds = 8

/** What missing a target by its own size costs, where that is allowed at all. */
const missSeconds = 20

/** Seconds of a typical answer; with targets, only as far as they and some headroom ask for. */
export const answerTime: Rank = {
  name: 'answer',
  seconds({ deployment, fit }) {
    const taken = answerSeconds(fit.speed) ?? unknownSeconds
    const { ttftMs, tpotMs } = deployment.targets
    const enough =
      ttftMs === null || tpotMs === null ? 0 : (ttftMs + tpotMs * answerTokens) / 1_000 / headroom
    const missed = missedTargets(deployment, fit.speed, fit.setting.slots)
    return missed.reduce(
      (sum, { ratio }) => sum + missSeconds * Math.min(ratio - 1, 10),
      Math.max(taken, enough),
    )
  },
}
