/**
 * How an engine takes the memory of its devices, as data: placement does the arithmetic, and the
 * adapter of each engine says which kind it is and with which figures.
 */
export type EngineMemory =
  /**
   * All of the context at start, as llama.cpp does: weights, a KV cache for `contextTokens` of every
   * slot, compute buffers. Layers that do not fit may stay in the memory of the machine.
   */
  | {
      readonly kind: 'whole-context'
      /** Tokens that are computed at a time; compute buffers grow with them. */
      readonly batchTokens: number
      readonly keepsTokenEmbeddingOnHost: boolean
      readonly canOffloadLayers: boolean
      /** Of the process on each device, before any tensor. */
      readonly contextOverheadBytes: number
    }
  /**
   * A fraction of the whole device, as vLLM and SGLang do: what weights, activations and overhead
   * leave of it becomes a pool of KV blocks that requests share.
   */
  | {
      readonly kind: 'fraction'
      readonly fractionUsual: number
      /** Tokens of the largest step; activations grow with them. */
      readonly batchTokens: number
      /** Activations, graphs and the process itself, beside what grows with the batch. */
      readonly contextOverheadBytes: number
    }
  /** Weights times a factor and some room to compute in: speech, embeddings, ranking. */
  | {
      readonly kind: 'weights-only'
      readonly weightsFactor: number
      readonly contextOverheadBytes: number
    }
