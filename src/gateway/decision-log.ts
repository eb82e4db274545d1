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
  /** A ring: writing is what happens a thousand times a second, reading is for people. */
  readonly #ring: (RequestRecord | undefined)[] = new Array(recordsKept)
  #next = 0

  add(record: RequestRecord): void {
    this.#ring[this.#next] = record
    this.#next = (this.#next + 1) % recordsKept
  }

  /** The newest record of this request; null when it is not kept. */
  get(requestId: string): RequestRecord | null {
    for (let back = 1; back <= recordsKept; back++) {
      const record = this.#ring[(this.#next - back + recordsKept) % recordsKept]
      if (record?.requestId === requestId) return record
    }
    return null
  }
}
