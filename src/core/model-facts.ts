/**
 * What the headers of weights say about a model: all that memory arithmetic, placement and people
 * need to know, whatever the file format. Read from files by `weights/`, used by `placement/`.
 */
import type { WeightsFormat } from '#core/engine-build.ts'

/** What one layer keeps of the tokens it has seen. */
export interface LayerAttention {
  /** Heads whose keys and values are cached; 0 where the layer has no attention (Mamba and such). */
  readonly kvHeadCount: number
  /** Tokens a sliding window looks back; null when the layer sees the whole context. */
  readonly windowTokens: number | null
}

/** Multi-head latent attention (DeepSeek, Kimi): one compressed vector per token and layer. */
export interface LatentAttention {
  readonly kvLoraRank: number
  /** Part of the head that carries the position; cached beside the latent vector. */
  readonly ropeDimension: number
}

export interface Experts {
  readonly count: number
  readonly usedPerToken: number
}

/** Where the bytes of the tensors are. The parts add up to `tensorBytes`. */
export interface TensorBytes {
  /** Bytes of each layer, in order, experts included. */
  readonly byLayer: readonly number[]
  /** Of those, bytes of routed experts: what may stay on the CPU while the rest is on a GPU. */
  readonly expertsByLayer: readonly number[]
  /** Token embedding: llama.cpp keeps it in host memory. */
  readonly tokenEmbedding: number
  /** Output matrix; 0 when the token embedding serves as output as well. */
  readonly output: number
  /** Everything else: final norm, projector of images, rope factors. */
  readonly other: number
}

export interface ModelFacts {
  readonly format: WeightsFormat
  /** In the words of the format: `llama`, `qwen3moe`; `LlamaForCausalLM` for safetensors. */
  readonly architecture: string
  /** What the file calls itself; null where it says nothing. */
  readonly name: string | null
  /** Weights as numbers, whatever their precision. */
  readonly parameterCount: number
  /** `Q4_K_M`, `BF16`, `awq 4-bit`; null where neither the file nor its tensors tell. */
  readonly quantization: string | null
  /** Average over all tensors, scales included. */
  readonly bitsPerWeight: number
  /** Bytes of tensor data: the files without headers and padding. */
  readonly tensorBytes: number
  readonly tensorBytesByPart: TensorBytes
  readonly tensorCount: number
  /** Longest context it was trained for; null where the header does not say. */
  readonly contextTokens: number | null
  readonly layerCount: number
  readonly embeddingLength: number | null
  readonly feedForwardLength: number | null
  /** Query heads of a layer; the most of any layer where they differ. */
  readonly headCount: number | null
  /** Heads of keys and values, in the same way. */
  readonly kvHeadCount: number | null
  readonly keyDimension: number | null
  readonly valueDimension: number | null
  /** One entry a layer; empty where the header does not tell enough. */
  readonly attention: readonly LayerAttention[]
  readonly latentAttention: LatentAttention | null
  readonly experts: Experts | null
  readonly vocabularySize: number | null
  /** Jinja; null where the model has none: then it does not chat. */
  readonly chatTemplate: string | null
  /** Set for embedding and reranking models: how token vectors become one. */
  readonly pooling: 'none' | 'mean' | 'cls' | 'last' | 'rank' | null
}
