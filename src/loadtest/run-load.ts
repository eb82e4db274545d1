/**
 * Sends a load as it was drawn. The clock alone decides when a request goes out; one that cannot,
 * because too many are under way or this process is busy, is counted as late, and its times still
 * start when it was due.
 */
import type { Arrival } from '#loadtest/arrival.ts'
import type { Sample } from '#loadtest/sample.ts'
import type { Clock } from '#std/clock.ts'

export interface LoadRun {
  readonly samples: readonly Sample[]
  /** Requests that went out more than {@link lateMs} after they were due. */
  readonly lateRequests: number
  /** Of those, the ones that had to wait because too many were under way. */
  readonly heldRequests: number
  /** How late the latest of all went out. */
  readonly lateMsMax: number
  /** From the start to the end of the last answer. */
  readonly durationMs: number
  /** Whether it was stopped before every request had gone out. */
  readonly stopped: boolean
}

export interface LoadProgress {
  readonly elapsedMs: number
  readonly sent: number
  readonly underWay: number
  readonly answered: number
  readonly failed: number
}

export interface LoadOptions {
  readonly arrivals: readonly Arrival[]
  /** Sends one and resolves when it is over. Must not reject. */
  readonly send: (
    arrival: Arrival,
    index: number,
    startedAtMs: number,
    signal: AbortSignal,
  ) => Promise<Sample>
  readonly clock: Clock
  /** More would measure this process and its sockets, and not the fleet. */
  readonly maxInFlight: number
  /** Ends the load early: what is under way is called off, what is over is reported. */
  readonly signal: AbortSignal
  readonly onProgress: (progress: LoadProgress) => void
}

/** A timer of a busy process is a few milliseconds late; this is not its doing any more. */
const lateMs = 50

const progressMs = 1_000

export async function runLoad(options: LoadOptions): Promise<LoadRun> {
  const { arrivals, clock, maxInFlight, signal } = options
  const startedAtMs = clock.nowMs()
  const samples: Sample[] = []
  const over = Promise.withResolvers<void>()
  let sent = 0
  let underWay = 0
  let lateRequests = 0
  let heldRequests = 0
  let lateMsMax = 0
  /** When the last place was last seen to be taken. */
  let fullAtMs = Number.NEGATIVE_INFINITY
  let failed = 0
  let callOff = (): void => {}

  const isOver = (): boolean => underWay === 0 && (signal.aborted || sent === arrivals.length)
  const begin = (arrival: Arrival, index: number): void => {
    underWay++
    const dueMs = startedAtMs + arrival.atMs
    const lateByMs = clock.nowMs() - dueMs
    lateMsMax = Math.max(lateMsMax, lateByMs)
    if (lateByMs > lateMs) {
      lateRequests++
      if (fullAtMs >= dueMs) heldRequests++
    }
    void options.send(arrival, index, startedAtMs, signal).then((sample) => {
      if (underWay === maxInFlight) fullAtMs = clock.nowMs()
      underWay--
      // What was called off says nothing about the fleet.
      if (!signal.aborted || sample.outcome.kind === 'answered') {
        samples.push(sample)
        if (sample.outcome.kind !== 'answered') failed++
      }
      if (isOver()) over.resolve()
      else sendDue()
    })
  }
  const sendDue = (): void => {
    if (signal.aborted) return
    callOff()
    for (; sent < arrivals.length && underWay < maxInFlight; ) {
      const arrival = arrivals[sent] as Arrival
      const waitMs = startedAtMs + arrival.atMs - clock.nowMs()
      if (waitMs > 0) {
        callOff = clock.schedule(waitMs, sendDue)
        return
      }
      begin(arrival, sent++)
    }
  }
  const tell = (): void => {
    const elapsedMs = clock.nowMs() - startedAtMs
    options.onProgress({ elapsedMs, sent, underWay, answered: samples.length - failed, failed })
    stopTelling = clock.schedule(progressMs, tell)
  }
  let stopTelling = clock.schedule(progressMs, tell)
  const onAbort = (): void => {
    callOff()
    if (underWay === 0) over.resolve()
  }
  signal.addEventListener('abort', onAbort, { once: true })
  if (isOver()) over.resolve()
  else sendDue()
  await over.promise
  stopTelling()
  signal.removeEventListener('abort', onAbort)
  const durationMs = clock.nowMs() - startedAtMs
  const stopped = sent < arrivals.length
  return { samples, lateRequests, heldRequests, lateMsMax, durationMs, stopped }
}
