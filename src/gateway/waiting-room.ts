/**
 * Requests that no endpoint has room for yet, in the order in which they came. They are bound to an
 * endpoint when one has room, not before, so that none waits behind a slow machine while a fast one
 * is idle.
 */
import { MotleyError } from '#core/errors.ts'
import type { ModelName } from '#core/ids.ts'

export interface Ticket {
  /** Gives up waiting; does nothing once the ticket was called. */
  leave(): void
}

interface Waiting {
  readonly tryNow: () => boolean
  readonly timer: NodeJS.Timeout
}

export class WaitingRoom {
  readonly #byModel = new Map<ModelName, Set<Waiting>>()
  #count = 0

  get count(): number {
    return this.#count
  }

  countOf(model: ModelName): number {
    return this.#byModel.get(model)?.size ?? 0
  }

  /**
   * Waits for room. `tryNow` is called when there may be some, and answers whether it took it or
   * found that waiting is over. Throws `queue_full`.
   */
  enter(
    model: ModelName,
    limits: { readonly maxRequests: number; readonly timeoutMs: number },
    tryNow: () => boolean,
    onTimeout: () => void,
  ): Ticket {
    if (this.#count >= limits.maxRequests) {
      throw new MotleyError(
        'queue_full',
        `Every endpoint of "${model}" is at its limit and ${this.#count} requests wait already.`,
        { retryAfterSeconds: 1 },
      )
    }
    const waiting: Waiting = {
      tryNow,
      timer: setTimeout(() => {
        if (this.#remove(model, waiting)) onTimeout()
      }, limits.timeoutMs),
    }
    const queue = this.#byModel.get(model)
    if (queue === undefined) this.#byModel.set(model, new Set([waiting]))
    else queue.add(waiting)
    this.#count++
    return { leave: () => void this.#remove(model, waiting) }
  }

  /** There may be room for these models: those who wait longest are asked first. */
  call(models: Iterable<ModelName>): void {
    if (this.#count === 0) return
    for (const model of models) {
      const queue = this.#byModel.get(model)
      if (queue === undefined) continue
      for (const waiting of queue) {
        if (!waiting.tryNow()) break
        this.#remove(model, waiting)
      }
    }
  }

  callAll(): void {
    this.call([...this.#byModel.keys()])
  }

  #remove(model: ModelName, waiting: Waiting): boolean {
    const queue = this.#byModel.get(model)
    if (queue === undefined || !queue.delete(waiting)) return false
    if (queue.size === 0) this.#byModel.delete(model)
    clearTimeout(waiting.timer)
    this.#count--
    return true
  }
}
