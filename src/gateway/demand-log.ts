/** Who asks for which model: what decides how many replicas of it there should be. */
import type { ModelName } from '#core/ids.ts'
import type { Exchange } from '#gateway/exchange.ts'
import type { ModelDemand } from '#protocol/model-demand.ts'
import { ewma } from '#std/ewma.ts'

/** The last twenty answers or so: long ones and short ones are among them. */
const newestWeight = 0.1

interface Counted {
  inFlight: number
  waiting: number
  oldestWaitMs: number
}

export class DemandLog {
  // Both only of models that are known here: whatever else clients write would fill the memory.
  readonly #askedAtMs = new Map<ModelName, number>()
  /** From the first attempt to the end of an answer. */
  readonly #answerMs = new Map<ModelName, number>()

  note(model: ModelName, nowMs: number): void {
    this.#askedAtMs.set(model, nowMs)
  }

  noteAnswer(model: ModelName, answerMs: number): void {
    if (!this.#askedAtMs.has(model)) return
    this.#answerMs.set(model, ewma(this.#answerMs.get(model) ?? null, answerMs, newestWeight))
  }

  /** Of every model that was asked for. */
  demand(running: Iterable<Exchange>, nowMs: number): ModelDemand[] {
    const counts = new Map<ModelName, Counted>()
    for (const { asked, attemptsBegun, startedMs } of running) {
      if (asked === null) continue
      const count = counts.get(asked.model) ?? { inFlight: 0, waiting: 0, oldestWaitMs: 0 }
      if (attemptsBegun > 0) count.inFlight += 1
      else {
        count.waiting += 1
        count.oldestWaitMs = Math.max(count.oldestWaitMs, nowMs - startedMs)
      }
      counts.set(asked.model, count)
    }
    return [...this.#askedAtMs].map(([model, askedAtMs]) => {
      const count = counts.get(model) ?? { inFlight: 0, waiting: 0, oldestWaitMs: 0 }
      const isAsked = count.inFlight + count.waiting > 0
      return {
        model,
        ...count,
        expectedWaitMs: expectedWaitMs(count, this.#answerMs.get(model) ?? null),
        idleMs: isAsked ? 0 : nowMs - askedAtMs,
      }
    })
  }
}

/**
 * While somebody waits, places that become free are taken at once: so many answers are under way, and
 * each place is free once in the time of an answer.
 */
function expectedWaitMs({ inFlight, waiting }: Counted, answerMs: number | null): number | null {
  if (waiting === 0) return 0
  return inFlight === 0 || answerMs === null ? null : (waiting / inFlight) * answerMs
}
