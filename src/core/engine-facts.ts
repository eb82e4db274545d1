/**
 * What an engine can do, as data that travels: adapters in `engines/` state it, placement decides by
 * it, and neither knows the other.
 */
import type { EngineCompatibility } from '#core/compatibility.ts'
import type { WeightsFormat } from '#core/engine-build.ts'
import type { EngineId } from '#core/engine-id.ts'
import type { EngineMemory } from '#core/engine-memory.ts'
import type { Task } from '#core/task.ts'

/** How far one replica of an engine can reach over several devices. */
export type DeviceSpread =
  /** One device only. */
  | 'single'
  /** Each layer over all devices, which have to be alike. */
  | 'tensor-parallel'
  /** Layers in turn, over any devices of the backend. */
  | 'layers'

export interface EngineFacts extends EngineCompatibility {
  readonly id: EngineId
  /** The engine's own name, for people. */
  readonly title: string
  readonly weightsFormats: readonly WeightsFormat[]
  /** Tasks it has routes for; null when that depends on what is behind the URL. */
  readonly tasks: readonly Task[] | null
  readonly spread: DeviceSpread
  /** Whether it can be told to answer only those who know a key. */
  readonly checksApiKey: boolean
  readonly memory: EngineMemory
}

/** Every engine that Motley can start. */
export type EngineCatalog = readonly EngineFacts[]
