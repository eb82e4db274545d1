/** What routing can answer, and the record that says why. */
import type { EndpointState, EndpointView } from '#core/endpoint.ts'
import type { EndpointId, ModelName } from '#core/ids.ts'
import type { Refusal } from '#routing/filter.ts'

/** What to do with a request right now. The gateway obeys it. */
export type Decision<Endpoint extends EndpointView> =
  | {
      readonly kind: 'forward'
      readonly endpoint: Endpoint
      readonly record: DecisionRecord | null
    }
  | { readonly kind: 'wait' }
  | { readonly kind: 'refuse'; readonly because: WhyNone }

/** Why no endpoint may be chosen, and waiting would not help. */
export type WhyNone =
  /** All that could answer were tried for this request. */
  | { readonly kind: 'all-tried' }
  /** All that could answer asked to be left alone until then. */
  | { readonly kind: 'cooling'; readonly untilMs: number }
  | { readonly kind: 'none-ready' }
  /** The user's rules and script keep it away from all of them. */
  | { readonly kind: 'not-permitted' }
  /** They keep it away from some, and the contexts of all others are too short for it. */
  | { readonly kind: 'too-long' }

/**
 * A record tells of so many candidates. Of more, telling would take longer than deciding, and the
 * thousand records that a gateway keeps would be most of its memory.
 */
export const explainedMax = 16

export interface CandidateRecord {
  readonly endpoint: EndpointId
  readonly verdict: 'chosen' | 'runner-up' | 'eligible' | 'refused'
  readonly refusal: Refusal | null
  /** What the strategy compared; the smallest wins. Null where it compared nothing. */
  readonly score: number | null
  readonly state: EndpointState
  readonly inFlight: number
  readonly weight: number
  readonly slowStartRatio: number
  /** Time to first token: predicted where the strategy predicts, else as measured of late. */
  readonly ttftMs: number | null
  /** Predicted time of each further token; null where the strategy predicts nothing. */
  readonly tpotMs: number | null
  /** What is predicted rests on nothing that was measured there, or said of it. */
  readonly isGuess: boolean
}

/** Every candidate of one decision with the numbers that decided, as they were then. */
export interface DecisionRecord {
  readonly atMs: number
  readonly model: ModelName
  readonly strategy: string
  /** What a score means, in words. */
  readonly scoreMeaning: string
  readonly candidates: readonly CandidateRecord[]
  /** Candidates that are not told of, in a fleet so large that telling costs more than deciding. */
  readonly leftOut: number
  /** The chosen one was to be tried, whatever was predicted: nobody knows how fast it is yet. */
  readonly explores: boolean
}
