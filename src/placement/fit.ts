/**
 * Whether one replica fits on one set of devices, in which setting, how much it takes of each and
 * how fast it will be: every term by its name, so that a person can add it up again.
 */
import type { Backend, LaunchKind } from '#core/engine-build.ts'
import type { EngineId } from '#core/engine-id.ts'

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
  /** Layers on the devices, of all; null where the engine does not split at layers. */
  readonly layersOnDevices: { readonly count: number; readonly of: number } | null
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
  /** What has to be set for it to run, as `HSA_OVERRIDE_GFX_VERSION=10.3.0`, with the reason. */
  readonly settings: readonly { readonly set: string; readonly why: string }[]
}

/** Why something cannot be, with the numbers, and what would make it possible. */
export interface Blocker {
  /** The check that said so; its name in `motley why-not`. */
  readonly check: string
  readonly what: string
  readonly unlockedBy: string | null
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
