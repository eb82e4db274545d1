/**
 * A check says why something cannot be, in one clause with its numbers, or null. Checks are asked
 * all of them, and not up to the first that refuses: `motley why-not` tells everything at once.
 */

import type { Deployment, ModelVariant } from '#core/deployment.ts'
import type { Backend, LaunchKind } from '#core/engine-build.ts'
import type { EngineFacts } from '#core/engine-facts.ts'
import type { Blocker, Fit } from '#placement/fit.ts'
import type { PlacementDevice, PlacementNode } from '#placement/inventory.ts'

/**
 * What becomes of a replica that runs where the check refuses its deployment. `stays`: it was there
 * first. `moves`: it leaves when a successor is ready. `leaves`: it goes, successor or not.
 */
export type OnRunning = 'stays' | 'moves' | 'leaves'

export interface NodeCheck {
  readonly name: string
  onRunning(deployment: Deployment, node: PlacementNode): OnRunning
  refuse(deployment: Deployment, node: PlacementNode): Blocker | null
}

export interface DeviceCheck {
  readonly name: string
  readonly onRunning: OnRunning
  refuse(deployment: Deployment, device: PlacementDevice, node: PlacementNode): Blocker | null
}

/** One way to have a replica on a node: which files, read by which engine. */
export interface Way {
  readonly variant: ModelVariant
  readonly engine: EngineFacts
}

export interface WayCheck {
  readonly name: string
  readonly onRunning: OnRunning
  refuse(deployment: Deployment, way: Way, node: PlacementNode): Blocker | null
}

/** Asked about what fits, and only then. */
export interface FitCheck {
  readonly name: string
  refuse(deployment: Deployment, fit: Extract<Fit, { kind: 'fits' }>): Blocker | null
}

export interface Start {
  readonly backend: Backend
  readonly kind: LaunchKind
}
