/**
 * Requests that no endpoint has room for yet, in the order in which they came. They are bound to an
 * endpoint when one has room, not before, so that none waits behind a slow machine while a fast one
 * is idle.
 */
import { MotleyError } from '#core/errors.ts'
import type { ModelName } from '#core/ids.ts'

interface Waiting {
  readonly model: ModelName
  readonly group: string | null
  readonly tryNow: () => boolean
  readonly timer: NodeJS.Timeout
}

export interface QueueEntry {
  readonly model: ModelName
  /**
   * Requests of one group may use the same endpoints: when one finds no room, none of them would.
   * Null for a request that stands for itself, as one that some endpoints have failed already.
   */
  readonly group: string | null
  /** Called when there may be room; answers whether waiting is over. */
  readonly tryNow: () => boolean
  readonly onTimeout: () => void
}

export class AdmissionQueue {
  readonly #waiting = new Set<Waiting>()

  get length(): number {
    return this.#waiting.size
  }

  lengthOf(model: ModelName): number {
    let length = 0
    for (const waiting of this.#waiting) if (waiting.model === model) length++
    return length
  }

  /** Whether one of this group waits: then a new one has to stand behind it. */
  has(group: string): boolean {
    for (const waiting of this.#waiting) if (waiting.group === group) return true
    return false
  }

  /** Returns how to leave, which does nothing once waiting is over. Throws `queue_full`. */
  enqueue(
    entry: QueueEntry,
    limits: { readonly maxRequests: number; readonly timeoutMs: number },
  ): () => void {
    if (this.#waiting.size >= limits.maxRequests) {
      throw new MotleyError(
        'queue_full',
        `Every endpoint of "${entry.model}" is at its limit and ${this.#waiting.size} requests wait already.`,
        { retryAfterSeconds: 1 },
      )
    }
    const waiting: Waiting = {
      model: entry.model,
      group: entry.group,
      tryNow: entry.tryNow,
      timer: setTimeout(() => {
        if (this.#remove(waiting)) entry.onTimeout()
      }, limits.timeoutMs),
    }
    this.#waiting.add(waiting)
    return () => void this.#remove(waiting)
  }

  /** There may be room: whoever waits longest is asked first, and nobody blocks the others. */
  wake(): void {
    const groupsWithoutRoom = new Set<string>()
    for (const waiting of this.#waiting) {
      if (waiting.group !== null && groupsWithoutRoom.has(waiting.group)) continue
      if (waiting.tryNow()) this.#remove(waiting)
      else if (waiting.group !== null) groupsWithoutRoom.add(waiting.group)
    }
  }

  #remove(waiting: Waiting): boolean {
    clearTimeout(waiting.timer)
    return this.#waiting.delete(waiting)
  }
}
