/**
 * Requests for one model that are not bound yet: live ones, which may still start in time or have no
 * deadline, in the order of their urgency; and late ones, which missed it, in the order of their
 * turns. A line for each model: who waits in one is in nobody's way in another.
 */
import type { DispatchRequest } from '#routing/dispatcher.ts'
import { LateTurns } from '#routing/fastest/late-turns.ts'
import { serviceRank } from '#routing/service-class.ts'

/** Longer than any target that somebody would set. */
const noTargetMs = 3_600_000

export interface Waiting {
  readonly request: DispatchRequest
  /** Where it stands. */
  readonly line: WaitingLine
  /** Among the requests that wait, of all clients; see `FairTurns`. */
  readonly turn: number
  /** When it turns from live to late; infinite without a TTFT target. */
  readonly lateAtMs: number
  /** Whether it has not been compared with every endpoint since one of them changed state. */
  fresh: boolean
  late: boolean
}

export class WaitingLine {
  readonly live: Waiting[] = []
  readonly late: Waiting[] = []
  readonly lateTurns: LateTurns

  constructor(lateShare: number) {
    this.lateTurns = new LateTurns(lateShare)
  }

  get size(): number {
    return this.live.length + this.late.length
  }

  add(waiting: Waiting): void {
    insert(this.live, waiting)
  }

  remove(waiting: Waiting): void {
    const list = waiting.late ? this.late : this.live
    if (list.at(-1) === waiting) list.pop()
    else list.splice(list.indexOf(waiting), 1)
  }

  /** It cannot start in time wherever it goes. */
  giveUp(waiting: Waiting): void {
    this.live.splice(this.live.indexOf(waiting), 1)
    this.#turnLate(waiting)
  }

  /** Moves those whose time is over to the late ones; returns when the next one's is. */
  expire(nowMs: number): number {
    let nextLateAtMs = Number.POSITIVE_INFINITY
    const expired: Waiting[] = []
    let kept = 0
    for (const waiting of this.live) {
      if (waiting.lateAtMs <= nowMs) expired.push(waiting)
      else {
        nextLateAtMs = Math.min(nextLateAtMs, waiting.lateAtMs)
        this.live[kept++] = waiting
      }
    }
    this.live.length = kept
    for (const waiting of expired) this.#turnLate(waiting)
    return nextLateAtMs
  }

  #turnLate(waiting: Waiting): void {
    waiting.late = true
    // Another gate holds for it from now on, and an idle endpoint brings no event that would tell.
    waiting.fresh = true
    insert(this.late, waiting)
  }
}

function insert(list: Waiting[], waiting: Waiting): void {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (urgencyOrder(list[middle] as Waiting, waiting) <= 0) low = middle + 1
    else high = middle
  }
  if (low === list.length) list.push(waiting)
  else list.splice(low, 0, waiting)
}

/** Negative when `left` goes first. */
export function urgencyOrder(left: Waiting, right: Waiting): number {
  return (
    serviceRank[left.request.service] - serviceRank[right.request.service] ||
    right.request.priority - left.request.priority ||
    left.turn - right.turn ||
    deadlineMs(left.request) - deadlineMs(right.request) ||
    left.request.arrivedAtMs - right.request.arrivedAtMs
  )
}

/** When its first token should come; one without a target is as patient as its arrival is late. */
function deadlineMs({ arrivedAtMs, targets }: DispatchRequest): number {
  return arrivedAtMs + (targets.ttftMs ?? noTargetMs)
}
