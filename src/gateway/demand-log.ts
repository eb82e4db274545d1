/** Who asks for which model: what decides how many replicas of it there should be. */
import type { ModelName } from '#core/ids.ts'
import type { Exchange } from '#gateway/exchange.ts'
import type { ModelDemand } from '#protocol/model-demand.ts'

interface Counted {
  inFlight: number
  waiting: number
  oldestWaitMs: number
}

export class DemandLog {
  /** Only of models that are known here: whatever else clients write would fill the memory. */
  readonly #askedAtMs = new Map<ModelName, number>()

  note(model: ModelName, nowMs: number): void {
    this.#askedAtMs.set(model, nowMs)
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
      return { model, ...count, idleMs: isAsked ? 0 : nowMs - askedAtMs }
    })
  }
}
