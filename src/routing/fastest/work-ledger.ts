/**
 * Work that is not counted in tokens, as sound, pictures and texts to embed: how long it takes is
 * learnt for each task and model of an endpoint, and what is there already is done first.
 *
 * The rate is that of a queue that an endpoint works off, whatever it does at the same time: an
 * engine that embeds eight texts at once is one that embeds them one by one, eight times as fast.
 */
import type { DispatchRequest } from '#routing/dispatcher.ts'

/** Ten answers are remembered. */
const learnWeight = 0.1
/** A single answer is never believed to be further off: a network that stalls is no slow device. */
const ratioMin = 0.25
const ratioMax = 4

/** One piece of work at an endpoint. */
export interface Job {
  readonly request: DispatchRequest
  readonly sentAtMs: number
  /** What it was thought to take, without what was there before it; 0 where nobody knew. */
  readonly ownMs: number
  /** What was there before it. */
  readonly aheadMs: number
}

export class WorkLedger {
  readonly #msPerUnit = new Map<string, number>()
  #outstandingMs = 0
  #count = 0

  get count(): number {
    return this.#count
  }

  /** How long the work that is there will take. */
  get outstandingMs(): number {
    return this.#outstandingMs
  }

  /** Zero for a task of which nothing was seen here. */
  ownMs(request: DispatchRequest): number {
    return (this.#msPerUnit.get(keyOf(request)) ?? 0) * (request.workUnits ?? 0)
  }

  begin(request: DispatchRequest, nowMs: number): Job {
    const job = {
      request,
      sentAtMs: nowMs,
      ownMs: this.ownMs(request),
      aheadMs: this.#outstandingMs,
    }
    this.#outstandingMs += job.ownMs
    this.#count++
    return job
  }

  end({ request, sentAtMs, ownMs, aheadMs }: Job, answered: boolean, nowMs: number): void {
    this.#count--
    // Sums of fractions that come and go leave crumbs.
    this.#outstandingMs = this.#count === 0 ? 0 : Math.max(0, this.#outstandingMs - ownMs)
    const units = request.workUnits ?? 0
    if (!answered || units <= 0) return
    const tookMs = nowMs - sentAtMs
    const key = keyOf(request)
    const known = this.#msPerUnit.get(key)
    if (known === undefined || ownMs === 0) {
      this.#msPerUnit.set(key, tookMs / units)
      return
    }
    const ratio = Math.min(ratioMax, Math.max(ratioMin, tookMs / (aheadMs + ownMs)))
    this.#msPerUnit.set(key, known * (1 + learnWeight * (ratio - 1)))
  }
}

function keyOf({ task, model }: DispatchRequest): string {
  return `${task} ${model}`
}
