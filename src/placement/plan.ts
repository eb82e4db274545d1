/**
 * A plan is immutable, ordered and leaves no choices: whoever carries it out decides nothing. It is
 * made from one inventory and one set of deployments, and the same two make the same plan.
 */
import type { Deployment, Priority } from '#core/deployment.ts'
import type { EngineCatalog } from '#core/engine-facts.ts'
import type { Blocker, MemoryNeed, ReplicaSetting, SpeedEstimate } from '#placement/fit.ts'
import type { Inventory, PlacedReplica } from '#placement/inventory.ts'

export interface PlanInput {
  readonly deployments: readonly Deployment[]
  readonly inventory: Inventory
  /** What every engine can do, with its versions: data of the adapters. */
  readonly engines: EngineCatalog
  /** Replicas each deployment should have now, between its min and max; absent: its min. */
  readonly wantedReplicas: Readonly<Record<string, number>>
  /** Keep enough room free that the loss of any one node can be made up for. */
  readonly reserve: 'none' | 'n-1'
  /** After most nodes are lost at once, nothing is stopped and nothing moved. */
  readonly frozen: boolean
}

/** One replica as it should be. */
export interface PlannedReplica {
  /** Derived from the deployment and its ordinal, so that the same plan has the same names. */
  readonly id: string
  readonly deployment: string
  readonly priority: Priority
  readonly setting: ReplicaSetting
  readonly memory: MemoryNeed
  readonly speed: SpeedEstimate
  /** Whether it runs already, as it is. */
  readonly keeps: PlacedReplica | null
}

/** What is done, in this order; a step waits until the steps it names are done. */
export type PlanStep =
  | {
      readonly kind: 'start'
      readonly step: string
      readonly after: readonly string[]
      readonly replica: PlannedReplica
      readonly because: string
    }
  | {
      readonly kind: 'stop'
      readonly step: string
      readonly after: readonly string[]
      readonly replica: PlacedReplica
      readonly because: string
      /** The deployment that needs its place, where it is evicted for one. */
      readonly evictedFor: string | null
      /**
       * True where no ready replica of its deployment is left until another one has started: its
       * place was needed, or is going away, and nothing else had room.
       */
      readonly interrupts: boolean
    }

/** A replica that is wanted and has no place. */
export interface Unplaced {
  readonly deployment: string
  readonly missing: number
  readonly because: readonly Blocker[]
  /** What the planner waits for, where waiting helps: a node that is silent, facts of a model. */
  readonly waitsFor: readonly string[]
}

/** Why one deployment may or may not be on one node: every check with its verdict. */
export interface CandidateRecord {
  readonly deployment: string
  readonly node: string
  /** Empty where no set of devices of the node was good enough to name. */
  readonly devices: readonly string[]
  readonly verdict: 'chosen' | 'runner-up' | 'possible' | 'refused'
  readonly blockers: readonly Blocker[]
  /** Terms of the score by name; the lowest sum wins. In seconds where they are times. */
  readonly score: Readonly<Record<string, number>> | null
  /** What the speed in its score rests on; null where there is no score. */
  readonly speedBasis: SpeedEstimate['basis'] | null
  readonly setting: ReplicaSetting | null
  readonly memory: MemoryNeed | null
}

export interface Plan {
  /** Digest of what it was made from and says: a plan that nothing changed has the same one. */
  readonly id: string
  readonly replicas: readonly PlannedReplica[]
  readonly steps: readonly PlanStep[]
  readonly unplaced: readonly Unplaced[]
  /**
   * What was chosen, and of each deployment the best of the rest. All other candidates are made
   * again from the same input when somebody asks: see `planner/explain-candidates.ts`.
   */
  readonly candidates: readonly CandidateRecord[]
  /** Found by which optimizer, and how far it may be from the best, where that is known. */
  readonly optimizer: { readonly name: 'exact' | 'greedy'; readonly gapRatio: number | null }
}

/**
 * Pure: time and chance have no part in it. The same input makes the same plan, and a plan that was
 * carried out leaves nothing to plan.
 */
export type Planner = (input: PlanInput) => Plan
