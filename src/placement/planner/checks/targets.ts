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
      // Memory for many answers at once, and no speed for a single one.
      ...(setting.backend === 'cpu' && missed.some(({ isLatency }) => isLatency)
        ? { code: 'latency-on-throughput' as const }
        : {}),
      what: missed.map(({ what }) => what).join(', '),
      unlockedBy: 'targets.bestEffort: true, or other targets',
      excess: { of: 'targets', ratio: Math.max(...missed.map(({ ratio }) => ratio)) },
    }
  },
}

export interface MissedTarget {
  readonly what: string
  /** 2 is twice as slow as asked for. */
  readonly ratio: number
  /** Whether it is about one answer, and not about all of them together or the start. */
  readonly isLatency: boolean
}

/** Targets that are asked for and that nothing can be held to, by their names in the file. */
export function uncheckedTargets(
  { targets: wanted }: Deployment,
  speed: SpeedEstimate,
  slots: number,
): readonly string[] {
  const figures = {
    ttftMs: ttftMs(speed),
    tpotMs: tpotMs(speed),
    tokensPerSecond: busyTokensPerSecond(speed, slots),
    startMs: speed.startMs,
  }
  return (Object.keys(figures) as (keyof typeof figures)[]).filter(
    (name) => wanted[name] !== null && figures[name] === null,
  )
}

/** How far beyond its target each figure is that misses it. */
export function missedTargets(
  deployment: Deployment,
  speed: SpeedEstimate,
  slots: number,
): readonly MissedTarget[] {
  const { targets: wanted, replicas } = deployment
  const basis = speed.basis === 'measured' ? 'measured' : 'expected'
  const missed: MissedTarget[] = []
  const atMost = (name: string, ms: number | null, targetMs: number | null) => {
    if (ms === null || targetMs === null || ms <= targetMs) return
    const what = `${name} ${seconds(ms)} ${basis}, at most ${seconds(targetMs)} asked for`
    missed.push({ what, ratio: ms / targetMs, isLatency: name !== 'start' })
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
      missed.push({ what, ratio: share / rate, isLatency: false })
    }
  }
  return missed
}
