/**
 * Requests that are not bound yet: live ones, which may still start in time or have no deadline,
 * in the order of their urgency; and late ones, which missed it, in the order of their turns.
 */
import type { RequestId } from '#core/ids.ts'
import type { DispatchRequest } from '#routing/dispatcher.ts'
import { FairTurns } from '#routing/fastest/fair-turns.ts'
import { serviceRank } from '#routing/service-class.ts'
import { ChurnMap } from '#std/churn.ts'

/** Longer than any target that somebody would set. */
const noTargetMs = 3_600_000

export interface Waiting {
  readonly request: DispatchRequest
  /** Among the requests that wait, of all clients; see {@link FairTurns}. */
  readonly turn: number
  /** When it turns from live to late; infinite without a TTFT target. */
  readonly lateAtMs: number
  /** Whether it has not been compared with every endpoint since one of them changed state. */
  fresh: boolean
  late: boolean
}

export class WaitingRoom {
  readonly live: Waiting[] = []
  readonly late: Waiting[] = []
  readonly #byId = new ChurnMap<RequestId, Waiting>()
  readonly #turns = new FairTurns()
  #nextLateAtMs = Number.POSITIVE_INFINITY

  get size(): number {
    return this.#byId.size
  }

  /** When the next live one turns late, or earlier. */
  get nextLateAtMs(): number {
    return this.#nextLateAtMs
  }

  add(request: DispatchRequest, lateAtMs: number): void {
    const waiting: Waiting = {
      request,
      turn: this.#turns.arrive(request.client, request.promptTokens),
      lateAtMs,
      fresh: true,
      late: false,
    }
    this.#byId.set(request.id, waiting)
    insert(this.live, waiting)
    this.#nextLateAtMs = Math.min(this.#nextLateAtMs, lateAtMs)
  }

  remove(id: RequestId): void {
    const waiting = this.#byId.get(id)
    if (waiting === undefined) return
    this.#byId.delete(id)
    if (this.size === 0) this.#turns.clear()
    const list = waiting.late ? this.late : this.live
    if (list.at(-1) === waiting) list.pop()
    else list.splice(list.indexOf(waiting), 1)
  }

  /** It is sent, and waits no more. */
  send({ request, turn }: Waiting): void {
    this.#turns.served(turn)
    this.remove(request.id)
  }

  /** It cannot start in time wherever it goes. */
  giveUp(waiting: Waiting): void {
    this.live.splice(this.live.indexOf(waiting), 1)
    waiting.late = true
    // Another gate holds for it from now on, and an idle endpoint brings no event that would tell.
    waiting.fresh = true
    insert(this.late, waiting)
  }

  /** Moves those whose time is over to the late ones. */
  expire(nowMs: number): void {
    if (nowMs < this.#nextLateAtMs) return
    this.#nextLateAtMs = Number.POSITIVE_INFINITY
    const expired: Waiting[] = []
    let kept = 0
    for (const waiting of this.live) {
      if (waiting.lateAtMs <= nowMs) expired.push(waiting)
      else {
        this.#nextLateAtMs = Math.min(this.#nextLateAtMs, waiting.lateAtMs)
        this.live[kept++] = waiting
      }
    }
    this.live.length = kept
    for (const waiting of expired) {
      waiting.late = true
      waiting.fresh = true
      insert(this.late, waiting)
    }
  }

  /** Endpoints changed: what was compared has to be compared again. */
  refresh(): void {
    for (const waiting of this.#byId.values()) waiting.fresh = true
  }
}

function insert(list: Waiting[], waiting: Waiting): void {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (order(list[middle] as Waiting, waiting) <= 0) low = middle + 1
    else high = middle
  }
  if (low === list.length) list.push(waiting)
  else list.splice(low, 0, waiting)
}

/** Negative when `left` goes first. */
function order(left: Waiting, right: Waiting): number {
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
