/**
 * Who may take one request, and who had better, before load is looked at: by the user's rules and
 * script, by how long a context is, and by who goes on with what another began. Made once for a
 * request, once more where its answer breaks off, and asked for each endpoint at each decision.
 */
import type { EndpointId } from '#core/ids.ts'
import type { RuleRefusal } from '#routing/rules/apply-rules.ts'

export interface Constraint {
  /** Requests for one model with the same group are kept from, and prefer, the same endpoints. */
  readonly group: string
  /** Null: it may. */
  refuse(endpoint: EndpointId): ConstraintRefusal | null
  /** How much of what is preferred it lacks; those with the least come first. */
  misses(endpoint: EndpointId): number
}

export interface ContextRefusal {
  readonly kind: 'context'
  /** The prompt, as estimated. */
  readonly neededTokens: number
  readonly contextTokens: number
}

export type ConstraintRefusal =
  | RuleRefusal
  | { readonly kind: 'script' }
  | ContextRefusal
  /** The answer was begun elsewhere, and this endpoint cannot go on with it. */
  | { readonly kind: 'begun' }
