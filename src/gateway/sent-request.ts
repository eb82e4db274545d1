import type { Evidence } from '#core/endpoint-health.ts'
import type { Endpoint } from '#gateway/endpoint.ts'
import type { PredictedPace } from '#gateway/exchange.ts'
import type { Usage } from '#openai/usage.ts'
import type { DecisionRecord } from '#routing/decision.ts'
import type { Dispatcher, DispatchRequest } from '#routing/dispatcher.ts'

/**
 * A request at the endpoint that it was sent to: counted there from its making until
 * {@link SentRequest.end}, and heard of in between.
 */
export class SentRequest {
  readonly request: DispatchRequest
  readonly endpoint: Endpoint
  /** Why there; null where the dispatcher keeps no record. */
  readonly record: DecisionRecord | null
  readonly #finish: (evidence: Evidence | null) => void
  readonly #dispatcher: Dispatcher
  readonly #nowMs: () => number
  readonly #changed: (urgent: boolean) => void
  #events = 0
  #over = false

  constructor(options: {
    readonly request: DispatchRequest
    readonly endpoint: Endpoint
    readonly record: DecisionRecord | null
    readonly dispatcher: Dispatcher
    readonly nowMs: () => number
    /** Told of whatever may make room; not urgent is what soon happens again. */
    readonly changed: (urgent: boolean) => void
  }) {
    this.request = options.request
    this.endpoint = options.endpoint
    this.record = options.record
    this.#dispatcher = options.dispatcher
    this.#nowMs = options.nowMs
    this.#changed = options.changed
    this.#finish = options.endpoint.begin()
  }

  get eventsSeen(): number {
    return this.#events
  }

  /** What its dispatcher predicts; null where it predicts nothing. */
  get predicted(): PredictedPace | null {
    const chosen = this.record?.candidates.find(({ verdict }) => verdict === 'chosen')
    if (chosen == null || chosen.ttftMs === null || chosen.tpotMs === null) return null
    return { ttftMs: chosen.ttftMs, tpotMs: chosen.tpotMs, isGuess: chosen.isGuess }
  }

  /** So many events of a stream came, each about a token. */
  events(count: number): void {
    if (this.#over || !this.request.streams || count === 0) return
    const nowMs = this.#nowMs()
    const isFirst = this.#events === 0
    this.#events += count
    if (isFirst) this.#dispatcher.firstToken(this.request.id, nowMs)
    const more = isFirst ? count - 1 : count
    if (more > 0) this.#dispatcher.tokens(this.request.id, more, nowMs)
    this.#changed(isFirst)
  }

  /** It is over; later calls do nothing. `evidence` is null where it says nothing of the endpoint. */
  end(evidence: Evidence | null, usage: Usage | null): void {
    if (this.#over) return
    this.#over = true
    this.#finish(evidence)
    const kind =
      evidence === null ? 'cancelled' : evidence.kind === 'success' ? 'answered' : 'failed'
    this.#dispatcher.done(
      this.request.id,
      { kind, cachedTokens: usage?.cachedTokens ?? null, tokens: usage?.completionTokens ?? null },
      this.#nowMs(),
    )
    this.#changed(true)
  }
}
