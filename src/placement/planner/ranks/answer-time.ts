import { missedTargets } from '#placement/planner/checks/targets.ts'
import type { Rank } from '#placement/planner/ranks/rank.ts'
import { answerTokens, tpotMs, ttftMs } from '#placement/planner/typical-answer.ts'

/**
 * Faster than this many times its target is fast enough: the seconds beyond are better spent on
 * somebody who needs them.
 */
const headroom = 1.5

/** Where nobody can predict how fast a prompt is read: slower than most GPUs. */
const unknownSeconds = 8

/** On eight cores a thousand tokens of a model of 8B take half a minute. */
const unknownCpuSeconds = 30

/** What missing a target by its own size costs, where that is allowed at all. */
const missSeconds = 20

/** Seconds of a typical answer; with targets, only as far as they and some headroom ask for. */
export const answerTime: Rank = {
  name: 'answer',
  seconds({ deployment, devices, fit }) {
    const onCpu = devices.some(({ device }) => device.vendor === 'cpu')
    const unknownMs = (onCpu ? unknownCpuSeconds : unknownSeconds) * 1_000
    const firstMs = ttftMs(fit.speed) ?? unknownMs
    const taken = (firstMs + (tpotMs(fit.speed) ?? 0) * answerTokens) / 1_000
    const { targets } = deployment
    const enough =
      targets.ttftMs === null || targets.tpotMs === null
        ? 0
        : (targets.ttftMs + targets.tpotMs * answerTokens) / 1_000 / headroom
    const missed = missedTargets(deployment, fit.speed, fit.setting.slots)
    return missed.reduce(
      (sum, { ratio }) => sum + missSeconds * Math.min(ratio - 1, 10),
      Math.max(taken, enough),
    )
  },
}
