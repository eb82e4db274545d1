/**
 * Requests that wait, in the order of arrival, and which of them are worth a look: after every token
 * of an answer somebody asks, and thousands may wait.
 */
import type { RequestId } from '#core/ids.ts'
import type { DispatchRequest } from '#routing/dispatcher.ts'
import { ChurnMap, ChurnSet } from '#std/churn.ts'

export interface Waiting {
  readonly request: DispatchRequest
  /** Requests of one group may use the same endpoints; null for one that stands for itself. */
  readonly group: string | null
}

export class ArrivalQueue {
  readonly #all = new ChurnMap<RequestId, Waiting>()
  /** Those of them that came since all were looked at. */
  readonly #arrived = new ChurnSet<Waiting>()
  /** Whether room was made that was not offered to all yet. */
  #hasRoomMade = false
  /** Those that stand for themselves and found no room since room was last made. */
  readonly #stuck = new Set<RequestId>()
  /** Groups whose oldest found no room: none behind it would. */
  readonly #full = new Set<string>()

  get size(): number {
    return this.#all.size
  }

  add(request: DispatchRequest): void {
    const waiting = { request, group: groupOf(request) }
    this.#all.set(request.id, waiting)
    this.#arrived.add(waiting)
  }

  /** False for one that does not wait. */
  remove(id: RequestId): boolean {
    const waiting = this.#all.get(id)
    if (waiting === undefined) return false
    this.#all.delete(id)
    this.#arrived.delete(waiting)
    return true
  }

  /** Those that found none may find some now. */
  roomMade(): void {
    this.#hasRoomMade = true
    // Clearing an empty set takes longer than most of what else happens here.
    if (this.#full.size > 0) this.#full.clear()
    if (this.#stuck.size > 0) this.#stuck.clear()
  }

  /** Whoever may find room now, among others: {@link hasNoRoom} says of each. */
  get toLookAt(): Iterable<Waiting> {
    return this.#hasRoomMade ? this.#all.values() : this.#arrived
  }

  hasNoRoom({ request, group }: Waiting): boolean {
    return group === null ? this.#stuck.has(request.id) : this.#full.has(group)
  }

  foundNoRoom({ request, group }: Waiting): void {
    if (group === null) this.#stuck.add(request.id)
    else this.#full.add(group)
  }

  /** None of {@link toLookAt} found room: only those that come from now on, or new room, change it. */
  allLookedAt(): void {
    this.#hasRoomMade = false
    for (const waiting of this.#arrived) this.#arrived.delete(waiting)
  }
}

function groupOf({ model, task, excluded, constraint }: DispatchRequest): string | null {
  if (excluded.length > 0) return null
  return `${task} ${model} ${constraint?.group ?? ''}`
}
