/** What the benchmark and a process of simulated agents say to each other. */
import type { ControllerAddress } from '#agent/identity.ts'

export type Order =
  /** Make certificates and read machines; names count on from `offset`. Answered: `prepared`. */
  | { readonly kind: 'prepare'; readonly agents: number; readonly offset: number }
  /** A secret for each agent. Answered: `joined`, once the controller has welcomed all. */
  | {
      readonly kind: 'join'
      readonly controller: ControllerAddress
      readonly secrets: readonly string[]
    }
  /**
   * Look out for a wish: that these agents run a replica of this model, or that they do not.
   * Answered: `watching`, and `told` once each was told; the latter never where there are no names.
   */
  | {
      readonly kind: 'watch'
      readonly names: readonly string[]
      readonly model: string
      readonly wanted: boolean
    }
  /** Every agent reports its replicas anew. */
  | { readonly kind: 'report' }
  /** So many agents end their connection and dial again. Answered: `joined`. */
  | { readonly kind: 'redial'; readonly agents: number }
  /**
   * The controller is about to go away, and from now on the clock is so much faster than the wall's.
   * Answered: `joined`, once all agents have come back to it.
   */
  | { readonly kind: 'storm'; readonly faster: number }
  /** Answered: `count`. */
  | { readonly kind: 'count' }
  | { readonly kind: 'end' }

export type Answer =
  | { readonly kind: 'prepared'; readonly names: readonly string[] }
  | { readonly kind: 'joined' }
  | { readonly kind: 'watching' }
  /** `atMs` is when the last of them was told, by {@link monotonicMs}. */
  | { readonly kind: 'told'; readonly atMs: number }
  /** Heartbeats that all agents of the process have sent since it began. */
  | { readonly kind: 'count'; readonly heartbeats: number; readonly connected: number }
  /** The controller would not have an agent: the benchmark is broken. */
  | { readonly kind: 'refused'; readonly message: string }

/** Milliseconds on the clock that all processes of this machine share. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
