/**
 * How many replicas a deployment should have, from who asks for it. Pure; time is an argument. It
 * goes up soon and one load at a time, and comes down late: a replica that was missing is felt by
 * somebody who waits, one too many only by whoever might have had its memory.
 */

/** Who asks for a deployment, and what there is for them. */
export interface ScaleView {
  readonly min: number
  readonly max: number
  readonly wanted: number
  readonly ready: number
  /** Requests at a time of one replica. */
  readonly slots: number
  /** Requests at endpoints, and those that wait. */
  readonly inFlight: number
  readonly waiting: number
  readonly oldestWaitMs: number
  /** What whoever comes next would wait; null while nobody can tell. */
  readonly expectedWaitMs: number | null
  /**
   * What starting one replica more is thought to take; null while nobody can tell. Asked only where
   * somebody waits for long: to tell, all nodes may have to be looked at.
   */
  readonly startMs: () => number | null
  /** Since somebody last asked. */
  readonly idleMs: number
  readonly sleepAfterMs: number
}

/** What was seen until now; of the run of the controller, not of the fleet. */
export interface ScaleMemory {
  /** Since when it has been busy, and since when calm, without a pause; null while it is not. */
  readonly busySinceMs: number | null
  readonly calmSinceMs: number | null
}

export interface ScaleOutcome {
  readonly memory: ScaleMemory
  /** Null while it stays. */
  readonly change: { readonly wanted: number; readonly because: string } | null
}

export const nothingSeen: ScaleMemory = { busySinceMs: null, calmSinceMs: null }

/**
 * Beyond this share of its slots the next request often finds none: with four slots, at 80 % every
 * third one.
 */
const busyRatio = 0.8

/** A person notices a second; a request that waited so long was not unlucky, but one too many. */
const longWaitMs = 1_000

/**
 * Longer than the burst of a page that asks four things at once. Where somebody waits for longer than
 * a start takes, or is going to, this is not waited for: the two cost the same then, whatever comes next.
 */
const busyForMs = 15_000

/** What is left must have the load with room to spare, or the next minute starts it again. */
const calmRatio = 0.5

/** Longer than the pauses of people at work; and to start a replica again takes minutes. */
const calmForMs = 5 * 60_000

export function nextScale(view: ScaleView, memory: ScaleMemory, nowMs: number): ScaleOutcome {
  const { min, max, wanted, ready, slots, waiting, oldestWaitMs, idleMs, sleepAfterMs } = view
  const load = view.inFlight + waiting
  const isBusy = ready > 0 && (load > busyRatio * ready * slots || oldestWaitMs >= longWaitMs)
  const isCalm = wanted > 1 && load <= calmRatio * (wanted - 1) * slots
  const seen: ScaleMemory = {
    busySinceMs: isBusy ? (memory.busySinceMs ?? nowMs) : null,
    calmSinceMs: isCalm ? (memory.calmSinceMs ?? nowMs) : null,
  }
  const stay: ScaleOutcome = { memory: seen, change: null }
  const to = (count: number, because: string): ScaleOutcome => ({
    memory: nothingSeen,
    change: { wanted: count, because },
  })
  if (wanted === 0) {
    return load === 0 ? stay : to(Math.min(1, max), 'somebody asks for it')
  }
  if (wanted === 1 && min === 0 && load === 0 && idleMs >= sleepAfterMs) {
    return to(0, `nobody has asked for ${idleText(sleepAfterMs)}`)
  }
  // Who has waited as long as a start takes would be served by now, had one begun as it came; who is
  // going to wait as long is served sooner by the start.
  const waitMs = Math.max(oldestWaitMs, waiting > 0 ? (view.expectedWaitMs ?? 0) : 0)
  const isLong = seen.busySinceMs !== null && nowMs - seen.busySinceMs >= busyForMs
  // Those on their way are the answer to what was seen before them.
  const needsMore = isBusy && ready >= wanted
  const mayGrow = needsMore && wanted < max
  const startMs = mayGrow && !isLong && waitMs >= longWaitMs ? view.startMs() : null
  const dearMs = startMs === null ? Number.POSITIVE_INFINITY : Math.max(longWaitMs, startMs)
  if (mayGrow && (isLong || waitMs >= dearMs)) {
    const needed = Math.ceil(load / (busyRatio * slots))
    const next = Math.min(max, 2 * wanted, Math.max(wanted + 1, needed))
    const seconds = (ms: number): string => `${(ms / 1_000).toFixed(0)} s`
    const wait =
      oldestWaitMs >= dearMs
        ? `somebody has waited ${seconds(oldestWaitMs)}`
        : `who asks now waits ${seconds(waitMs)}`
    const words = isLong
      ? `${load} requests for ${ready * slots} slots over ${busyForMs / 1_000} s`
      : `${wait}, and another replica starts in ${seconds(startMs ?? 0)}`
    return to(next, words)
  }
  // Somebody may wait though slots are free, as for the one replica that he may use: fewer do not help.
  const isCalmForLong = seen.calmSinceMs !== null && nowMs - seen.calmSinceMs >= calmForMs
  if (isCalmForLong && !needsMore && wanted > min) {
    return to(wanted - 1, `${load} requests for ${wanted * slots} slots over 5 min`)
  }
  return stay
}

/** In minutes, except where those would be none or one. */
function idleText(ms: number): string {
  return ms < 120_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`
}
