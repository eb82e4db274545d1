/** A clock that runs faster than the wall's by a factor: minutes of heartbeats pass in seconds. */
import { type Clock, systemClock } from '#std/clock.ts'

/** All clocks of one factor agree, in whichever process of this machine they run. */
export function fastClock(factor: number): Clock {
  return {
    nowMs: () => systemClock.nowMs() * factor,
    schedule: (afterMs, run) => systemClock.schedule(afterMs / factor, run),
  }
}
