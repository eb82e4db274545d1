/**
 * A check says why something cannot be, in one clause with its numbers, or null. Checks are asked
 * all of them, and not up to the first that refuses: `motley why-not` tells everything at once.
 */

import type { Deployment, ModelVariant } from '#core/deployment.ts'
import type { EngineFacts } from '#core/engine-facts.ts'
import type { Blocker, Fit } from '#placement/fit.ts'
import type { FailedStart, PlacementDevice, PlacementNode } from '#placement/inventory.ts'

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

/** Asked of the files of a model by themselves, whoever reads them. */
export interface VariantCheck {
  readonly name: string
  readonly onRunning: OnRunning
  refuse(deployment: Deployment, variant: ModelVariant): Blocker | null
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

/** Asked of each node by itself: nodes of one class differ in what lies on their disks. */
export interface DiskCheck {
  readonly name: string
  refuse(deployment: Deployment, way: Pick<Way, 'variant'>, node: PlacementNode): Blocker | null
}

/** Asked of what was tried before. */
export interface HistoryCheck {
  readonly name: string
  refuse(
    deployment: Deployment,
    start: {
      readonly devices: readonly string[]
      readonly engine: string
      readonly backend: string
      readonly source: string
    },
    failures: readonly FailedStart[],
  ): Blocker | null
}

/** Asked about what fits, and only then. */
export interface FitCheck {
  readonly name: string
  refuse(deployment: Deployment, fit: Extract<Fit, { kind: 'fits' }>): Blocker | null
}
