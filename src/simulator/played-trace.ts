import { changeLoad, stretch } from '#simulator/traces/change-load.ts'
import { requestsPerSecond, type Trace } from '#simulator/traces/trace.ts'
import { seededChance } from '#std/seeded-chance.ts'

export interface PlayedOptions {
  readonly trace: Trace
  readonly ratePerSecond: number
  /** Runs of one seed meet the same requests, whatever the policy. */
  readonly seed: number
  /** `recorded`: every request in its order and at its time, at the rate that is given. */
  readonly how?: 'superpose' | 'compress' | 'recorded'
  readonly durationMs?: number
}

const defaultDurationMs = 300_000
/** Apart from the seeds of other parts of a run, so that none shifts when another draws more. */
const seedStep = 1_000_003

/** The requests that a run meets. */
export function playedTrace(options: PlayedOptions): Trace {
  const { trace, ratePerSecond, seed, how = 'superpose', durationMs } = options
  if (how === 'recorded') return stretch(trace, requestsPerSecond(trace) / ratePerSecond)
  return changeLoad(trace, {
    ratePerSecond,
    durationMs: durationMs ?? defaultDurationMs,
    how,
    chance: seededChance(seed * seedStep),
  })
}
