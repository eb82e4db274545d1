/**
 * How an engine takes the memory of its devices, as data: placement does the arithmetic, and the
 * adapter of each engine says which kind it is and with which figures.
 */
import { z } from 'zod'
import type { Backend } from '#core/engine-build.ts'

/** Numbers that keys and values may be kept in. Bytes of each: {@link kvCacheBytes}. */
export const kvCacheTypes = ['f16', 'fp8', 'q8_0', 'q4_0'] as const
export type KvCacheType = (typeof kvCacheTypes)[number]

/** Bytes of one cached number, scales included: blocks of 32 numbers share one scale of 16 bit. */
export const kvCacheBytes: Readonly<Record<KvCacheType, number>> = {
  f16: 2,
  fp8: 1,
  q8_0: 34 / 32,
  q4_0: 18 / 32,
}

const count = z.int().min(0).max(10_000)

/** What an engine leaves to the CPU and the memory of the machine, counted from the first layer. */
export const offload = z.strictObject({
  /** Layers of the whole model. */
  layerCount: count,
  /** Layers with all they have, their KV cache included. */
  layersOnHost: count,
  /** Layers of a mixture of experts whose experts alone are there. */
  expertLayersOnHost: count,
})
export type Offload = Readonly<z.infer<typeof offload>>

/**
 * What a process holds of each device before any tensor: contexts, kernels, workspaces of libraries.
 * A backend that is left out holds nothing worth counting.
 */
export type ProcessBytes = Readonly<Partial<Record<Backend, number>>>

/** A step that gets larger with the memory of the device: the last row that the device reaches counts. */
export type BatchTokens = readonly {
  readonly fromMemoryBytes: number
  readonly tokens: number
}[]

export type EngineMemory =
  /**
   * All of the context at start, as llama.cpp does: weights, a KV cache for `contextTokens` of every
   * slot, compute buffers. Layers that do not fit may stay in the memory of the machine.
   */
  | {
      readonly kind: 'whole-context'
      /** Tokens that are computed at a time; compute buffers grow with them. */
      readonly batchTokens: number
      /** The KV cache is a multiple of this many tokens. */
      readonly paddingTokens: number
      readonly keepsTokenEmbeddingOnHost: boolean
      /** Whether some layers may be left in host memory, and the experts of some. */
      readonly offloads: 'nothing' | 'layers' | 'layers-and-experts'
      /** Backends where attention is computed without a matrix of all scores, unless told otherwise. */
      readonly flashAttention: readonly Backend[]
      /** Best first. */
      readonly kvCacheTypes: readonly KvCacheType[]
      readonly processBytes: ProcessBytes
      readonly slotsUsual: number
    }
  /**
   * A fraction of the whole device, as vLLM and SGLang do: what weights, activations and overhead
   * leave of it becomes a pool of KV blocks that requests share.
   */
  | {
      readonly kind: 'fraction'
      readonly fractionUsual: number
      /**
       * What the fraction is of, and what it has to hold. `all`: everything, of the whole device.
       * `weights-and-kv`: activations and the process come beside it. `kv-of-rest`: the KV pool
       * alone, of what weights leave.
       */
      readonly covers: 'all' | 'weights-and-kv' | 'kv-of-rest'
      /** Tokens of the largest step; activations grow with them. */
      readonly batchTokens: BatchTokens
      /** The KV pool is a multiple of this many tokens. */
      readonly blockTokens: number
      /** Recorded graphs and what libraries take on top, on each device. */
      readonly graphBytes: number
      /** Best first. */
      readonly kvCacheTypes: readonly KvCacheType[]
      readonly processBytes: ProcessBytes
      /** Requests at a time when nobody says otherwise: the KV pool is the true bound. */
      readonly slotsUsual: number
    }
  /** Weights times a factor and some room to compute in: speech, embeddings, ranking. */
  | {
      readonly kind: 'weights-only'
      readonly weightsFactor: number
      /** Tokens, or frames of sound, that are computed at a time. */
      readonly batchTokens: number
      readonly processBytes: ProcessBytes
      readonly slotsUsual: number
    }

/** Numbers that it can keep keys and values in, its own first; empty where it keeps no tokens. */
export function kvCacheTypesOn(memory: EngineMemory, backend: Backend): readonly KvCacheType[] {
  if (memory.kind === 'weights-only') return []
  if (memory.kind === 'fraction' || memory.flashAttention.includes(backend)) {
    return memory.kvCacheTypes
  }
  // Quantized values are for kernels of flash attention alone.
  return memory.kvCacheTypes.filter((type) => kvCacheBytes[type] >= kvCacheBytes.f16)
}
