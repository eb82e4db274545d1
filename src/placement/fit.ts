/**
 * Whether one replica fits on one set of devices, in which setting, how much it takes of each and
 * how fast it will be: every term by its name, so that a person can add it up again.
 */
import type { FindingCode, Setting } from '#core/compatibility.ts'
import type { Deployment, ModelVariant } from '#core/deployment.ts'
import type { Backend, LaunchKind } from '#core/engine-build.ts'
import type { EngineFacts } from '#core/engine-facts.ts'
import type { EngineId } from '#core/engine-id.ts'
import type { KvCacheType, Offload } from '#core/engine-memory.ts'
import type {
  MeasuredSpeed,
  MemoryCorrection,
  PlacementDevice,
  PlacementNode,
} from '#placement/inventory.ts'

/** One summand of the memory that is taken: weights, KV cache, compute buffers, … */
export interface MemoryTerm {
  readonly name:
    | 'weights'
    | 'kv-cache'
    | 'compute'
    | 'overhead'
    | 'projector'
    | 'state'
    | 'correction'
  readonly bytes: number
  /** How it came about, in one clause: `32 layers × 8 heads × 128 × 2 × 2 B × 8192 tokens`. */
  readonly why: string
}

export interface DeviceMemoryNeed {
  /** {@link PlacementDevice.id}. */
  readonly device: string
  readonly terms: readonly MemoryTerm[]
  /** Sum of the terms. */
  readonly needBytes: number
  /** What may be used of the device: free, without what the driver, others and the margin hold. */
  readonly usableBytes: number
}

export interface MemoryNeed {
  readonly devices: readonly DeviceMemoryNeed[]
  /** In the memory of the machine, where the devices have their own. */
  readonly hostBytes: number
  /** What `hostBytes` is made of. */
  readonly hostTerms: readonly MemoryTerm[]
  /** Layers on the devices, of all; null where the engine does not split at layers. */
  readonly layersOnDevices: { readonly count: number; readonly of: number } | null
  /**
   * Tokens that the KV cache holds, of all requests together; the most that one request may be long
   * where they share it. Null where there is no KV cache.
   */
  readonly kvCacheTokens: number | null
  /** How far the estimate is to be trusted: `measured` on this very setting is best. */
  readonly confidence: 'measured' | 'corrected' | 'estimated'
}

export interface SpeedEstimate {
  readonly promptTokensPerSecond: number | null
  readonly decodeTokensPerSecond: number | null
  /** From a start to the first answer: bytes to fetch and to load, by the rates known. */
  readonly startMs: number | null
  readonly basis: 'measured' | 'similar' | 'bandwidth' | 'unknown'
}

/** How a replica would be set up on some devices of a node. */
export interface ReplicaSetting {
  readonly node: string
  readonly devices: readonly string[]
  readonly engine: EngineId
  readonly backend: Backend
  readonly kind: LaunchKind
  readonly source: string
  readonly contextTokens: number
  readonly slots: number
  readonly memoryFraction: number | null
  readonly tensorParallel: number
  /** Numbers that keys and values are kept in. */
  readonly kvCacheType: KvCacheType
  /** What stays in the memory of the machine; null when nothing does. */
  readonly offload: Offload | null
  /** What has to be set for it to run, as `HSA_OVERRIDE_GFX_VERSION=10.3.0`, with the reason. */
  readonly settings: readonly Setting[]
}

/** Why something cannot be, with the numbers, and what would make it possible. */
export interface Blocker {
  /** The check that said so; its name in `motley why-not`. */
  readonly check: string
  /** What was found, by a name that keeps its meaning, where compatibility is what is missing. */
  readonly code?: FindingCode
  readonly what: string
  readonly unlockedBy: string | null
  /** Names of the nodes it was found on, where it is told of a whole fleet and does not name them. */
  readonly on?: readonly string[]
  /** Where memory is what is missing: how much, of each device that has too little. */
  readonly short?: readonly Shortfall[]
  /**
   * Where an amount is too much: of what, and how many times. Of reasons that differ in it alone, the
   * nearest is told: see `fold-blockers.ts`.
   */
  readonly excess?: { readonly of: string; readonly ratio: number }
  /** Where an amount depends on the engine: with which ones it is so much. */
  readonly engines?: readonly EngineId[]
}

export interface Shortfall {
  /** {@link PlacementDevice.id}; null for the memory of the machine. */
  readonly device: string | null
  readonly neededBytes: number
  /** What may be promised: what others leave of what is usable, less the doubt of the estimate. */
  readonly freeBytes: number
  readonly shortBytes: number
}

export type Fit =
  | {
      readonly kind: 'fits'
      readonly setting: ReplicaSetting
      readonly memory: MemoryNeed
      readonly speed: SpeedEstimate
      /** What the user should know though it fits: shorter context, half of the layers on the CPU. */
      readonly notes: readonly string[]
    }
  | {
      readonly kind: 'no'
      readonly blockers: readonly Blocker[]
      /** How much is missing, where memory is what is missing. */
      readonly memory: MemoryNeed | null
      /** Changes that would make it fit, the smallest first: less context, another variant. */
      readonly suggestions: readonly string[]
    }

/** Upper bounds beside what the deployment asks for; null where there is none. */
export interface FitLimits {
  readonly contextTokens: number | null
  readonly slots: number | null
  /** Of the whole device, for engines that take a fraction of it. */
  readonly memoryFraction: number | null
  /** Of the types that the deployment allows, this one and those after it. */
  readonly kvCacheType: KvCacheType | null
  /** So many layers, or the experts of so many, are left to the machine at least. */
  readonly hostLayersMin: number | null
}

export const noLimits: FitLimits = {
  contextTokens: null,
  slots: null,
  memoryFraction: null,
  kvCacheType: null,
  hostLayersMin: null,
}

/** One question: this variant, by this engine, started in this way, on these devices of a node. */
export interface FitQuestion {
  readonly deployment: Deployment
  readonly variant: ModelVariant
  readonly engine: EngineFacts
  readonly backend: Backend
  readonly kind: LaunchKind
  readonly node: PlacementNode
  readonly devices: readonly PlacementDevice[]
  /** By device id: bytes that other replicas of ours hold there. Absent: none. */
  readonly promisedBytes: Readonly<Record<string, number>>
  readonly limits: FitLimits
  /** Whether changes that would make it fit are looked for: that takes longer than the answer. */
  readonly suggests?: boolean
  readonly memory: readonly MemoryCorrection[]
  readonly speeds: readonly MeasuredSpeed[]
}

/**
 * Answers with the largest setting that fits and keeps to the limits: where the deployment leaves
 * context and slots open, less of them before a no. The planner asks once per kind of device, and
 * again with tighter limits where devices are shared; the answer must not depend on the node's name.
 */
export type FitReplica = (question: FitQuestion) => Fit
