import type { Deployment } from '#core/deployment.ts'
import type { SpeedEstimate } from '#placement/fit.ts'
import type { FitCheck } from '#placement/planner/checks/check.ts'
import { busyTokensPerSecond, tpotMs, ttftMs } from '#placement/planner/typical-answer.ts'
import { seconds } from '#placement/planner/words.ts'

/**
 * Targets are hard: whoever asks for a first token within a second does not want the place where it
 * takes ten. With `targets.bestEffort` they only rank, and a speed that nobody can predict refuses
 * nothing.
 */
export const targets: FitCheck = {
  name: 'targets',
  refuse(deployment, { setting, speed }) {
    if (deployment.targets.bestEffort) return null
    const missed = missedTargets(deployment, speed, setting.slots)
    if (missed.length === 0) return null
    return {
      check: 'targets',
      what: missed.map(({ what }) => what).join(', '),
      unlockedBy: 'targets.bestEffort: true, or other targets',
    }
  },
}

/** How far beyond its target each figure is that misses it; 2 is twice as slow as asked for. */
export function missedTargets(
  deployment: Deployment,
  speed: SpeedEstimate,
  slots: number,
): readonly { readonly what: string; readonly ratio: number }[] {
  const { targets: wanted, replicas } = deployment
  const basis = speed.basis === 'measured' ? 'measured' : 'expected'
  const missed: { what: string; ratio: number }[] = []
  const atMost = (name: string, ms: number | null, targetMs: number | null) => {
    if (ms === null || targetMs === null || ms <= targetMs) return
    const what = `${name} ${seconds(ms)} ${basis}, at most ${seconds(targetMs)} asked for`
    missed.push({ what, ratio: ms / targetMs })
  }
  atMost('ttft', ttftMs(speed), wanted.ttftMs)
  atMost('tpot', tpotMs(speed), wanted.tpotMs)
  atMost('start', speed.startMs, wanted.startMs)
  const rate = busyTokensPerSecond(speed, slots)
  if (wanted.tokensPerSecond !== null && rate !== null) {
    // Replicas may come and go between min and max; with all of them it must be possible.
    const share = wanted.tokensPerSecond / Math.max(1, replicas.max)
    if (rate < share) {
      const what = `${Math.round(rate)} tokens/s a replica ${basis}, ${Math.round(share)} asked for`
      missed.push({ what, ratio: share / rate })
    }
  }
  return missed
}
