/**
 * A setup is one way to have a replica on machines of a class: which variant, read by which engine,
 * on which of the devices.
 */
import type { Backend, LaunchKind } from '#core/engine-build.ts'
import type { Blocker, Fit } from '#placement/fit.ts'
import type { Ladder } from '#placement/planner/ladder.ts'

export interface Setup {
  /** Positions of its devices among those of the node. */
  readonly locals: readonly number[]
  readonly variantIndex: number
  readonly engineIndex: number
  readonly backend: Backend
  readonly kind: LaunchKind
  /** Sum of the ranks that are alike on all nodes of the class. */
  readonly seconds: number
  readonly ladder: Ladder
}

/** What was tried on devices of a class, and why it cannot be. */
export interface RefusedSetup {
  readonly locals: readonly number[]
  readonly blockers: readonly Blocker[]
  readonly fit: Extract<Fit, { kind: 'no' }> | null
}

export interface Setups {
  /** The best first. */
  readonly possible: readonly Setup[]
  readonly refused: readonly RefusedSetup[]
}
