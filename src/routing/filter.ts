/**
 * A filter says of one endpoint why it may not take this request, or null. It only reads; the
 * order in `route.ts` decides which reason is reported when several hold.
 */
import type { EndpointView } from '#core/endpoint.ts'
import type { EndpointId, ModelName } from '#core/ids.ts'
import type { Constraint, ConstraintRefusal } from '#routing/constraint.ts'

export interface RouteRequest {
  readonly model: ModelName
  readonly nowMs: number
  /** Endpoints that already failed this request. */
  readonly tried: readonly EndpointId[]
  /** Virtual time of the round-robin picker; see `pickers/round-robin.ts`. */
  readonly turnNow: number
  /** What rules and script of the user say; null when they say nothing about this request. */
  readonly constraint: Constraint | null
}

export type Refusal =
  | { readonly kind: 'tried' }
  | { readonly kind: 'state'; readonly state: 'loading' | 'failed' | 'draining' }
  | { readonly kind: 'probing' }
  | { readonly kind: 'weight-zero' }
  | { readonly kind: 'cooling'; readonly untilMs: number }
  | ConstraintRefusal
  | { readonly kind: 'full'; readonly inFlight: number; readonly maxInFlight: number }
  /** The rest are predictions of `fastest`. Nothing is known of it, and it is being found out. */
  | { readonly kind: 'untried' }
  /** It owes answers, and nothing comes. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'kv-cache'; readonly neededTokens: number; readonly kvTokens: number }
  | { readonly kind: 'ttft'; readonly predictedMs: number; readonly leftMs: number }
  | { readonly kind: 'tpot'; readonly predictedMs: number; readonly targetMs: number }
  /** So many answers that are being written there would miss their targets. */
  | { readonly kind: 'stall'; readonly stallMs: number; readonly answersLost: number }
  /** Work of other kinds than answers in words is there for so long. */
  | { readonly kind: 'work'; readonly aheadMs: number }

export type Filter = (request: RouteRequest, endpoint: EndpointView) => Refusal | null
