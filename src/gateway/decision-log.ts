/** The decision records of the last requests, by request id, for `motley why`. */
import type { ModelName, RequestId } from '#core/ids.ts'
import type { AttemptRecord } from '#gateway/exchange.ts'
import type { DecisionRecord } from '#routing/decision.ts'

export interface RequestRecord {
  readonly requestId: RequestId
  readonly model: string
  readonly answeredModel: ModelName | null
  readonly decisions: readonly DecisionRecord[]
  readonly attempts: readonly AttemptRecord[]
  readonly queueMs: number
  readonly ttftMs: number | null
  readonly totalMs: number
  readonly status: number
}

/** A thousand records of ten candidates are about a megabyte. */
const recordsKept = 1_000

export class DecisionLog {
  readonly #records = new Map<string, RequestRecord>()

  add(record: RequestRecord): void {
    this.#records.delete(record.requestId)
    this.#records.set(record.requestId, record)
    if (this.#records.size <= recordsKept) return
    const oldest = this.#records.keys().next().value
    if (oldest !== undefined) this.#records.delete(oldest)
  }

  get(requestId: string): RequestRecord | null {
    return this.#records.get(requestId) ?? null
  }
}
