/**
 * A rank says what a place costs, in seconds of a typical answer, or in what an operator would give
 * such seconds for. Terms add up, the lowest sum wins, and every term stands in the record by its
 * name. None is negative: the search leaves a place out as soon as a part of its sum is too much.
 */
import type { Deployment } from '#core/deployment.ts'
import type { Fit } from '#placement/fit.ts'
import type { PlacementDevice, PlacementNode } from '#placement/inventory.ts'

export interface RankQuestion {
  readonly deployment: Deployment
  /** Position of the variant among those of the deployment. */
  readonly variantIndex: number
  /** Position of the engine in the catalog. */
  readonly engineIndex: number
  readonly devices: readonly PlacementDevice[]
  /** What the devices may hold when nobody else is there. */
  readonly capacityBytes: number
  readonly fit: Extract<Fit, { kind: 'fits' }>
}

/** Alike on all nodes of a kind. */
export interface Rank {
  readonly name: string
  seconds(question: RankQuestion): number
}

/** Different from node to node. */
export interface NodeRank {
  readonly name: string
  seconds(deployment: Deployment, variantIndex: number, node: PlacementNode): number
}
