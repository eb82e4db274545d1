/**
 * What the agent's watcher tells a gateway about an endpoint. The watcher knows engines and asks
 * them in their own words; the gateway only ever sees this.
 */
import type { Continuation } from '#core/continuation.ts'
import type { EndpointLoad } from '#core/endpoint.ts'
import type { EndpointId } from '#core/ids.ts'
import type { Task } from '#core/task.ts'

/**
 * How one active check ended, in HAProxy's words so that operators know them:
 * L4 is about the connection, L7 about the HTTP answer.
 */
export type CheckStatus = 'L4OK' | 'L4CON' | 'L4TOUT' | 'L7OK' | 'L7STS' | 'L7TOUT' | 'L7RSP'

/** What the engine meant by its answer. `refused`: nothing listens. `silent`: it did not answer. */
export type CheckVerdict = 'ready' | 'loading' | 'refused' | 'silent' | 'unhealthy'

export interface ReportedModel {
  readonly servedName: string
  readonly contextTokens: number | null
  readonly tasks: readonly Task[] | null
}

export interface EndpointReport {
  readonly endpoint: EndpointId
  readonly atMs: number
  readonly check: {
    readonly status: CheckStatus
    readonly verdict: CheckVerdict
    /** HTTP status, when there was one. */
    readonly code: number | null
    readonly durationMs: number
    /** What was seen, in one short sentence without secrets; null when all is well. */
    readonly detail: string | null
  }
  /** The kind of engine, once known. */
  readonly engine: string | null
  readonly engineVersion: string | null
  /**
   * Models as last read; null when this report brings no news of them. Of those that the user gave,
   * the ones whose context is known.
   */
  readonly models: readonly ReportedModel[] | null
  /** What the engine has routes for, for models that say nothing themselves; null when unknown. */
  readonly tasks: readonly Task[] | null
  /** Load as last read; null when this report brings no news of it. */
  readonly load: EndpointLoad | null
  /** Whether the engine takes `stream_options.include_usage`. */
  readonly supportsStreamUsage: boolean
  /** How an answer that was cut off elsewhere goes on there. */
  readonly continuation: Continuation
}
