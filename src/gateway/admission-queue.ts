/**
 * Requests that wait for something to be there at all: for endpoints to say what they serve, or for
 * a model to wake. Those that wait for room are the dispatcher's.
 */
import { MotleyError } from '#core/errors.ts'
import type { ModelName } from '#core/ids.ts'

interface Waiting {
  readonly model: ModelName
  readonly tryNow: () => boolean
  readonly timer: NodeJS.Timeout
}

export interface QueueEntry {
  readonly model: ModelName
  /** Called when it may be there; answers whether waiting is over. */
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

  /** Returns how to leave, which does nothing once waiting is over. Throws `queue_full`. */
  enqueue(
    entry: QueueEntry,
    limits: { readonly maxRequests: number; readonly timeoutMs: number },
  ): () => void {
    if (this.#waiting.size >= limits.maxRequests) {
      throw new MotleyError(
        'queue_full',
        `"${entry.model}" is not there yet, and ${this.#waiting.size} requests wait already.`,
        { retryAfterSeconds: 1 },
      )
    }
    const waiting: Waiting = {
      model: entry.model,
      tryNow: entry.tryNow,
      timer: setTimeout(() => {
        if (this.#remove(waiting)) entry.onTimeout()
      }, limits.timeoutMs),
    }
    this.#waiting.add(waiting)
    return () => void this.#remove(waiting)
  }

  /** It may be there now: whoever waits longest is asked first, and nobody blocks the others. */
  wake(): void {
    for (const waiting of this.#waiting) {
      if (waiting.tryNow()) this.#remove(waiting)
    }
  }

  #remove(waiting: Waiting): boolean {
    clearTimeout(waiting.timer)
    return this.#waiting.delete(waiting)
  }
}
