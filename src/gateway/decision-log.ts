/** The decision records of the last requests, by request id, for `motley why`. */
import type { ErrorCode } from '#core/errors.ts'
import type { ModelName, RequestId } from '#core/ids.ts'
import type { AttemptRecord, ScriptFailure, UnservedModel } from '#gateway/exchange.ts'
import type { DecisionRecord } from '#routing/decision.ts'

export interface RequestRecord {
  readonly requestId: RequestId
  /** When it came, by the clock of this machine. */
  readonly arrivedAtMs: number
  /** The same by the clock that `atMs` of decisions is of, which never goes back. */
  readonly startedMs: number
  /** As the client wrote it. */
  readonly model: string
  readonly answeredModel: ModelName | null
  readonly decisions: readonly DecisionRecord[]
  /** Of the model that was asked for and its fallbacks, those that nobody serves. */
  readonly unserved: readonly UnservedModel[]
  /** By model: its decisions were made as if there was no script. */
  readonly scriptFailures: readonly ScriptFailure[]
  readonly attempts: readonly AttemptRecord[]
  readonly queueMs: number
  /** How much of that nobody was there who could have had room. */
  readonly awayMs: number
  readonly ttftMs: number | null
  readonly totalMs: number
  readonly status: number
  /** Why it was refused, as its client was told; null where an endpoint answered. */
  readonly refused: { readonly code: ErrorCode; readonly message: string } | null
}

/** A thousand records of ten candidates are about a megabyte. */
export const recordsKept = 1_000

/**
 * Requests that no endpoint was ever looked for are kept apart: a client with a wrong key that asks
 * a thousand times does not push out what is known of the others.
 */
export class DecisionLog {
  readonly #decided = new Ring()
  readonly #undecided = new Ring()

  add(record: RequestRecord): void {
    const ring = record.decisions.length > 0 ? this.#decided : this.#undecided
    ring.add(record)
  }

  /** The newest record of this request; null when it is not kept. */
  get(requestId: string): RequestRecord | null {
    return this.#decided.get(requestId) ?? this.#undecided.get(requestId)
  }

  /** The newest first, by when they ended. */
  newest(count: number): readonly RequestRecord[] {
    const endedMs = ({ startedMs, totalMs }: RequestRecord): number => startedMs + totalMs
    return [...this.#decided.newest(count), ...this.#undecided.newest(count)]
      .sort((one, other) => endedMs(other) - endedMs(one))
      .slice(0, count)
  }
}

/** Writing is what happens a thousand times a second, reading is for people. */
class Ring {
  readonly #ring: (RequestRecord | undefined)[] = new Array(recordsKept)
  #next = 0

  add(record: RequestRecord): void {
    this.#ring[this.#next] = record
    this.#next = (this.#next + 1) % recordsKept
  }

  get(requestId: string): RequestRecord | null {
    for (const record of this.#fromNewest()) if (record.requestId === requestId) return record
    return null
  }

  newest(count: number): RequestRecord[] {
    return this.#fromNewest().take(count).toArray()
  }

  *#fromNewest(): Generator<RequestRecord, void> {
    for (let back = 1; back <= recordsKept; back++) {
      const record = this.#ring[(this.#next - back + recordsKept) % recordsKept]
      if (record === undefined) return
      yield record
    }
  }
}
