import type { Dispatch, Dispatcher } from '#routing/dispatcher.ts'

/** How long a dispatcher takes to decide, by a clock of the host; nothing without one. */
export class DecisionClock {
  totalMs = 0
  longestMs = 0
  readonly #hostNowMs: (() => number) | null

  constructor(hostNowMs: (() => number) | null) {
    this.#hostNowMs = hostNowMs
  }

  ask(dispatcher: Dispatcher, nowMs: number): Dispatch | null {
    const hostNowMs = this.#hostNowMs
    // With nobody waiting there is nothing to decide, and a clock takes longer than that answer.
    if (hostNowMs === null || dispatcher.waiting === 0) return dispatcher.next(nowMs)
    const startMs = hostNowMs()
    const dispatch = dispatcher.next(nowMs)
    const tookMs = hostNowMs() - startMs
    this.totalMs += tookMs
    this.longestMs = Math.max(this.longestMs, tookMs)
    return dispatch
  }
}
