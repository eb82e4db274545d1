/** What is asked of the memory arithmetic: one replica in one setting, on devices that are given. */
import type { Backend } from '#core/engine-build.ts'
import type { EngineMemory, KvCacheType, Offload } from '#core/engine-memory.ts'
import type { ModelFacts } from '#core/model-facts.ts'

export interface MemoryDevice {
  readonly id: string
  /** Without what its driver reserves: what a fraction is a fraction of. */
  readonly totalBytes: number
  readonly usableBytes: number
  /** Whether its memory is that of the machine: then what stays on the host takes of it as well. */
  readonly sharesHostMemory: boolean
}

export interface MemoryQuestion {
  readonly facts: ModelFacts
  readonly engine: EngineMemory
  readonly backend: Backend
  readonly devices: readonly MemoryDevice[]
  /** The longest prompt plus answer of one request. */
  readonly contextTokens: number
  /** Requests at a time. */
  readonly slots: number
  readonly kvCacheType: KvCacheType
  /** Null: as the engine does by itself on this backend. */
  readonly flashAttention: boolean | null
  /** Null: as much as the engine usually takes. */
  readonly memoryFraction: number | null
  /** Devices that each layer is spread over; 1 where layers are whole. */
  readonly tensorParallel: number
  readonly offload: Offload | null
}
