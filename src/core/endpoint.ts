/**
 * An endpoint is a ready replica, or any OpenAI-compatible URL that the user already runs, as the
 * gateway sees it: where it is, what it serves, how loaded it is and whether it may be chosen.
 */
import type { EndpointId, ModelName } from '#core/ids.ts'
import type { Task } from '#core/task.ts'

/**
 * Whether an endpoint may be chosen, and why not.
 *
 *   loading ──▶ ready ◀──▶ busy          busy: alive, but at its limit or slow to say so
 *                │  ▲
 *      failures  ▼  │ a probe succeeds
 *             failing ──▶ failed         failing: takes one probe at a time
 *
 *   draining, from any state: takes nothing new and finishes what it has
 */
export const endpointStates = ['ready', 'loading', 'busy', 'failing', 'failed', 'draining'] as const

export type EndpointState = (typeof endpointStates)[number]

/** One model on one endpoint: what clients call it, and what the engine there calls it. */
export interface ServedModel {
  readonly model: ModelName
  /** The name the engine expects; often longer, as `meta-llama/Llama-3.1-8B-Instruct`. */
  readonly servedName: string
  /** The longest prompt plus answer, in tokens; null when the engine does not say. */
  readonly contextTokens: number | null
  /** Tasks this model is known to serve here; null when nothing is known and all are tried. */
  readonly tasks: ReadonlySet<Task> | null
}

/** What an engine reports of its own load. A field it does not report is null, never guessed. */
export interface EndpointLoad {
  readonly runningRequests: number | null
  readonly waitingRequests: number | null
  readonly kvCacheUsageRatio: number | null
  readonly slots: number | null
  /** Tokens that its KV cache holds, of all requests together. */
  readonly kvTokens: number | null
}

/**
 * An endpoint as routing sees it at the moment of a decision. Routing only reads it, and the
 * decision is made before anything else can run, so the gateway may hand out its live records.
 */
export interface EndpointView {
  readonly id: EndpointId
  readonly state: EndpointState
  /** Relative strength as the user gave it, at least 0; 0 takes no new requests. */
  readonly weight: number
  /** `weight` while it ramps up after a recovery, in (0, 1] of its full value. */
  readonly slowStartRatio: number
  /** Requests the gateway has sent there that are not over. */
  readonly inFlight: number
  /** The most requests it may hold at a time; null for no limit. */
  readonly maxInFlight: number | null
  /** While failing, whether its one probe is under way. */
  readonly probeInFlight: boolean
  /** Until when each model rests after a 429 that said so; see {@link coolsUntilMs}. */
  readonly coolingUntilMs: ReadonlyMap<ModelName, number>
  /** Measured time to first token, smoothed; null before the first answer. */
  readonly ttftMs: number | null
  /** Finish tag of start-time fair queueing, for the round-robin picker. */
  readonly turn: number
  readonly labels: Readonly<Record<string, string>>
}

export function coolsUntilMs(endpoint: EndpointView, model: ModelName): number {
  const { coolingUntilMs } = endpoint
  return coolingUntilMs.size === 0 ? 0 : (coolingUntilMs.get(model) ?? 0)
}

/** The weight that counts now: the user's, reduced while the endpoint ramps up. */
export function effectiveWeight(endpoint: EndpointView): number {
  return endpoint.weight * endpoint.slowStartRatio
}
