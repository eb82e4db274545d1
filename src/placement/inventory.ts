/**
 * What there is to place on: an immutable picture of the nodes, of what runs on them and of what was
 * measured there. Everything that placement decides follows from this and from the deployments.
 */
import type { Taint } from '#core/deployment.ts'
import type { Device } from '#core/device.ts'
import type { Backend, LaunchKind, OperatingSystem } from '#core/engine-build.ts'
import type { EngineId } from '#core/engine-id.ts'
import type { KvCacheType, Offload } from '#core/engine-memory.ts'

export interface PlacementNode {
  readonly id: string
  readonly name: string
  readonly os: OperatingSystem
  readonly osVersion: string | null
  /** Null where nobody has looked. */
  readonly containers: ContainerSoftware | null
  /** `suspect`: silent for a while, nothing new is placed there. `lost`: what ran there is gone. */
  readonly presence: 'ready' | 'suspect' | 'lost'
  readonly draining: boolean
  readonly labels: Readonly<Record<string, string>>
  readonly taints: readonly Taint[]
  readonly devices: readonly PlacementDevice[]
  /** Engines whose programs are there, and how they are started; null where nobody has looked. */
  readonly engines: readonly InstalledEngine[] | null
  /** Sources of weights that lie on its disk, as users write them. */
  readonly weights: readonly string[]
  readonly freeDiskBytes: number | null
  /** How fast weights come from its disk; null where it was never measured. */
  readonly diskBytesPerSecond: number | null
  readonly networkBytesPerSecond: number | null
  /** That what was recorded of a machine is shown there, which runs nothing. */
  readonly isRecording?: boolean
}

/** Docker, Podman: whatever starts containers. */
export type ContainerSoftware =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'there'
      /** What it can give devices with, as `nvidia`; null where it does not let us ask. */
      readonly runtimes: readonly string[] | null
    }

export interface PlacementDevice {
  /** Unique on its node: vendor and number, as `nvidia-0`. */
  readonly id: string
  readonly device: Device
  /** Memory that neither replicas of ours nor the driver hold: desktops, other programs. */
  readonly foreignBytes: number
}

export interface InstalledEngine {
  readonly engine: EngineId
  readonly version: string | null
  readonly backends: readonly Backend[]
  /** That nobody knows for which of the backends it is built. */
  readonly assumed?: boolean | undefined
  readonly kinds: readonly LaunchKind[]
}

/** A replica that runs or is starting: what placement wants to disturb as little as it can. */
export interface PlacedReplica {
  readonly id: string
  /** Null for one that somebody started by hand: it holds its place, and is never touched. */
  readonly deployment: string | null
  readonly node: string
  readonly devices: readonly string[]
  readonly engine: EngineId
  readonly backend: Backend
  /** Which of the variants of its model. */
  readonly source: string
  readonly contextTokens: number
  readonly slots: number
  readonly memoryFraction: number | null
  /** Left out: what its engine has by itself. */
  readonly kvCacheType?: KvCacheType
  /** What of it is in the memory of the machine; left out or null: nothing. */
  readonly offload?: Offload | null
  readonly ready: boolean
  /** By device id: what it claimed when it was planned, and what it was measured to take. */
  readonly claimedBytes: Readonly<Record<string, number>>
  readonly measuredBytes: Readonly<Record<string, number>> | null
}

/** What a replica took of a device, kept as the correction of the next estimate of its kind. */
export interface MemoryCorrection {
  readonly node: string
  readonly engine: EngineId
  readonly backend: Backend | null
  readonly model: string
  readonly quantization: string | null
  readonly contextTokens: number | null
  readonly slots: number | null
  /** Of the device it took most of. */
  readonly takenBytes: number
  /** What had been reckoned for that device, without any correction; null where nothing was. */
  readonly estimatedBytes: number | null
}

/** What `motley benchmark` measured. */
export interface MeasuredSpeed {
  readonly node: string
  readonly engine: EngineId
  readonly model: string
  readonly quantization: string | null
  readonly promptTokensPerSecond: number
  readonly decodeTokensPerSecond: number
}

/**
 * A start that came to nothing: it ended again and again, or did not fit after all. The same is not
 * tried before its time; longer each time, as it was with the last.
 */
export interface FailedStart {
  readonly deployment: string
  readonly node: string
  readonly devices: readonly string[]
  readonly engine: EngineId
  readonly backend: Backend
  readonly source: string
  /** In the words of whoever saw it. */
  readonly because: string
}

/**
 * A replica that somebody started by hand and nobody has measured yet: its weights are on their way,
 * or it loads. What of it is open, its agent chooses.
 */
export interface ManualStart {
  readonly id: string
  readonly node: string
  readonly source: string
  readonly engine: EngineId | null
  readonly backend: Backend | null
  readonly kind: LaunchKind
  readonly contextTokens: number | null
  readonly slots: number | null
}

export interface Inventory {
  readonly nodes: readonly PlacementNode[]
  readonly replicas: readonly PlacedReplica[]
  /** Their memory is in no figure yet: see `manual-holds.ts`. */
  readonly starting?: readonly ManualStart[]
  readonly memory: readonly MemoryCorrection[]
  readonly speeds: readonly MeasuredSpeed[]
  /** Those that are not to be tried yet. */
  readonly failures?: readonly FailedStart[]
}
