/**
 * A dispatcher binds requests to endpoints. It holds the requests that are not bound yet and what
 * it has learnt about endpoints; it is told everything that happens and answers what to send where.
 *
 * The gateway drives it with real events and the simulator with virtual ones: same object, same
 * code. It has no clock and no chance of its own. Times are milliseconds that never go back.
 *
 *   arrive ──▶ (waits) ──next──▶ sent ──firstToken, tokens──▶ done
 *      └────────leave────────┘     └──────────done(failed)──▶ arrive again, that endpoint excluded
 */
import type { EndpointLoad, EndpointView } from '#core/endpoint.ts'
import type { EndpointId, ModelName, RequestId } from '#core/ids.ts'
import type { ServiceClass } from '#core/service-class.ts'
import type { Task } from '#core/task.ts'
import type { Constraint } from '#routing/constraint.ts'
import type { DecisionRecord, WhyNone } from '#routing/decision.ts'
import type { StepSpeed } from '#routing/step-speed.ts'

/** What the answer should keep; null where nothing is asked for. */
export interface LatencyTargets {
  /** Time to first token, from arrival at the gateway. */
  readonly ttftMs: number | null
  /** Mean time per output token after the first. */
  readonly tpotMs: number | null
}

/** What routing knows of a request. How long its answer will be is not among it. */
export interface DispatchRequest {
  readonly id: RequestId
  readonly model: ModelName
  readonly task: Task
  /** Whether its answer comes token by token; nothing is heard of another until it is over. */
  readonly streams: boolean
  /**
   * How much work it is, for what is not counted in tokens, as sound and pictures. Compared with
   * others of its task and model only; null where tokens say it.
   */
  readonly workUnits: number | null
  /** Counted or estimated; at least 1. */
  readonly promptTokens: number
  /** The longest answer the client allows; null when it does not say. */
  readonly maxTokens: number | null
  /** Whose request it is, for fairness: the name of the key, or anything that tells clients apart. */
  readonly client: string
  readonly service: ServiceClass
  readonly targets: LatencyTargets
  /**
   * One hash for each leading block of `prefixBlockTokens` tokens of the prompt, each covering all
   * the prompt up to its end: two requests with the same hash share everything before it. Empty
   * when nothing is known.
   */
  readonly prefixBlocks: readonly number[]
  readonly prefixBlockTokens: number
  /** Larger goes first within a service class; 0 by default. */
  readonly priority: number
  readonly arrivedAtMs: number
  /** Endpoints that must not be chosen, as those that failed this request already. */
  readonly excluded: readonly EndpointId[]
  /** What rules and script of the user say; null when they say nothing about this request. */
  readonly constraint: Constraint | null
}

/** What filters ask of it. */
export type FilteredRequest = Pick<DispatchRequest, 'model' | 'excluded' | 'constraint'>

/** Room of an engine; null where it is not known. */
export interface EndpointLimits {
  /** Sequences it computes at a time. */
  readonly seats: number | null
  /** Tokens its KV cache holds. */
  readonly kvTokens: number | null
  /** Tokens it computes in one step at most; a longer prompt is computed in chunks of it. */
  readonly batchTokens: number | null
}

/** What a dispatcher is told of an endpoint. The view may be a live record; it is only read. */
export interface DispatchEndpoint {
  readonly view: EndpointView
  /** Whether it has the model, and takes the task for it. */
  serves(model: ModelName, task: Task): boolean
  readonly limits: EndpointLimits
  /** How fast it is thought to be, before anything was measured; null when nobody knows. */
  readonly speed: StepSpeed | null
}

/** How a request ended at the endpoint it was sent to. */
export interface DispatchOutcome {
  /** `cancelled`: the client left. `failed`: it may arrive again, with that endpoint excluded. */
  readonly kind: 'answered' | 'failed' | 'cancelled'
  /** Prompt tokens that the engine says it did not need to compute; null when it does not say. */
  readonly cachedTokens: number | null
  /** Tokens of the answer as the engine counted them; null when it does not say. */
  readonly tokens: number | null
}

export type Dispatch =
  | {
      readonly kind: 'send'
      readonly request: DispatchRequest
      readonly endpoint: EndpointId
      /** Why there; null unless the dispatcher was made to explain. */
      readonly record: DecisionRecord | null
    }
  | {
      readonly kind: 'reject'
      readonly request: DispatchRequest
      readonly because: RejectReason
      /** What was predicted; null where the filters said it all, or nobody wants an explanation. */
      readonly record: DecisionRecord | null
    }

export type RejectReason =
  | WhyNone
  /** It waited as long as its class may, and more work comes in than goes out. */
  | { readonly kind: 'overload'; readonly retryAfterMs: number }

/** What was sent to an endpoint and is not over. */
export interface DispatchCounts {
  readonly inFlight: number
  /** Prompt tokens whose first token is awaited. */
  readonly prefillTokens: number
  /** Prompt and answer tokens of everything there. */
  readonly contextTokens: number
}

export interface DispatcherOptions {
  /** Numbers in [0, 1); a seeded one makes a run repeatable. */
  readonly chance: () => number
  /** Whether to keep a record of each decision, which takes longer than most decisions. */
  readonly explain: boolean
}

/**
 * Every method is called with the time at which it happened, never earlier than the call before.
 * After each call, or several at one time, the caller asks {@link next} until it answers null and
 * obeys at once. Ids are unique among the requests that are not over.
 */
export interface Dispatcher {
  /** The name of the strategy, as in configuration. */
  readonly name: string
  /** Requests that arrived and were neither sent, rejected nor left. */
  readonly waiting: number
  /** The whole fleet, whenever membership, models, limits or states changed. */
  endpoints(endpoints: readonly DispatchEndpoint[], nowMs: number): void
  arrive(request: DispatchRequest, nowMs: number): void
  /** A waiting request is gone. Does nothing for one that does not wait. */
  leave(id: RequestId, nowMs: number): void
  /** The next thing to do, or null: nothing before the next event, or before `wakeAtMs`. */
  next(nowMs: number): Dispatch | null
  /** The first token of the answer came. Never called for an answer that does not stream. */
  firstToken(id: RequestId, nowMs: number): void
  /** So many more tokens came after the first. */
  tokens(id: RequestId, count: number, nowMs: number): void
  /** A request that was sent is over; called exactly once for each `send`. */
  done(id: RequestId, outcome: DispatchOutcome, nowMs: number): void
  /** What an engine said of its own load, which may be old and counts what others sent it too. */
  report(endpoint: EndpointId, load: EndpointLoad, nowMs: number): void
  /** When time alone may change an answer of `next`; null when only events can. */
  wakeAtMs(nowMs: number): number | null
  /** What it counts at an endpoint; null when it was not told of it. */
  counts(endpoint: EndpointId): DispatchCounts | null
}
