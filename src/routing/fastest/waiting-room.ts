/** All requests that are not bound yet, in a line for each model and task. */
import { ByTaskAndModel } from '#core/by-task-and-model.ts'
import type { RequestId } from '#core/ids.ts'
import type { DispatchRequest } from '#routing/dispatcher.ts'
import { FairTurns } from '#routing/fastest/fair-turns.ts'
import { urgencyOrder, type Waiting, WaitingLine } from '#routing/fastest/waiting-line.ts'
import { ChurnMap } from '#std/churn.ts'

/**
 * So many that have nowhere to go now are passed over, to find who has. An endpoint that is killed
 * leaves about as many rests of answers as it has seats, and none of them may go back to it.
 */
const passedOverMax = 256

/** Whether it may not go everywhere: it failed somewhere, or rules and script keep it away. */
export function isKept({ request: { excluded, constraint } }: Waiting): boolean {
  return excluded.length > 0 || constraint !== null
}

export class WaitingRoom {
  /** Those in which somebody waits or waited. */
  readonly lines: WaitingLine[] = []
  readonly #lateShare: number
  readonly #hasWhere: (waiting: Waiting) => boolean
  readonly #lineOf = new ByTaskAndModel<WaitingLine>()
  readonly #byId = new ChurnMap<RequestId, Waiting>()
  readonly #turns = new FairTurns()
  readonly #first: Waiting[] = []
  #nextLateAtMs = Number.POSITIVE_INFINITY

  /** `hasWhere`: whether an endpoint that is worth a look may take it. */
  constructor(lateShare: number, hasWhere: (waiting: Waiting) => boolean) {
    this.#lateShare = lateShare
    this.#hasWhere = hasWhere
  }

  get size(): number {
    return this.#byId.size
  }

  /** When the next live one turns late, or earlier. */
  get nextLateAtMs(): number {
    return this.#nextLateAtMs
  }

  add(request: DispatchRequest, lateAtMs: number): void {
    const line = this.#line(request)
    const waiting: Waiting = {
      request,
      line,
      turn: this.#turns.arrive(request.client, request.promptTokens),
      lateAtMs,
      fresh: true,
      late: false,
    }
    this.#byId.set(request.id, waiting)
    line.add(waiting)
    this.#nextLateAtMs = Math.min(this.#nextLateAtMs, lateAtMs)
  }

  remove(id: RequestId): void {
    const waiting = this.#byId.get(id)
    if (waiting === undefined) return
    this.#byId.delete(id)
    if (this.size === 0) this.#turns.clear()
    waiting.line.remove(waiting)
  }

  /** It is sent, and waits no more. */
  send({ request, turn }: Waiting): void {
    this.#turns.served(turn)
    this.remove(request.id)
  }

  /**
   * The most urgent ones, live or late, that have somewhere to go: so many of each line, in one
   * order for all, as endpoints may serve several models. Valid until the next call.
   */
  first(which: 'live' | 'late', ofLineMax: number): readonly Waiting[] {
    const first = this.#first
    first.length = 0
    let lines = 0
    for (const line of this.lines) {
      const before = first.length
      this.#take(line[which], ofLineMax)
      if (first.length > before) lines++
    }
    return lines > 1 ? first.sort(urgencyOrder) : first
  }

  /** The late one of a line whose turn is next. Valid as `first` is. */
  nextLate(line: WaitingLine): Waiting | undefined {
    this.#first.length = 0
    this.#take(line.late, 1)
    return this.#first[0]
  }

  #take(list: readonly Waiting[], countMax: number): void {
    const first = this.#first
    const end = Math.min(list.length, countMax + passedOverMax)
    let left = countMax
    for (let at = 0; at < end && left > 0; at++) {
      const waiting = list[at] as Waiting
      if (!this.#hasWhere(waiting)) continue
      first.push(waiting)
      // Looked at once by itself, or those who may go nowhere take all places again.
      if (!waiting.fresh || !isKept(waiting)) left--
    }
  }

  /** Moves those whose time is over to the late ones. */
  expire(nowMs: number): void {
    if (nowMs < this.#nextLateAtMs) return
    this.#nextLateAtMs = Number.POSITIVE_INFINITY
    for (const line of this.lines) {
      this.#nextLateAtMs = Math.min(this.#nextLateAtMs, line.expire(nowMs))
    }
  }

  /** Endpoints changed: what was compared has to be compared again, and models may have gone. */
  refresh(): void {
    for (const waiting of this.#byId.values()) waiting.fresh = true
    this.#lineOf.clear()
    const used = this.lines.filter(({ size }) => size > 0)
    this.lines.length = 0
    for (const line of used) {
      const { request } = (line.live[0] ?? line.late[0]) as Waiting
      this.#keep(request, line)
    }
  }

  #line(request: DispatchRequest): WaitingLine {
    return this.#lineOf.get(request) ?? this.#keep(request, new WaitingLine(this.#lateShare))
  }

  #keep(request: DispatchRequest, line: WaitingLine): WaitingLine {
    this.lines.push(line)
    return this.#lineOf.set(request, line)
  }
}
