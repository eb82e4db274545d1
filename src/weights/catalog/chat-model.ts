/** One language model of the catalogue: its shape, and where its files are. */
import type { GgufMix } from '#weights/catalog/gguf-mix.ts'
import type { ModelShape } from '#weights/catalog/model-shape.ts'

export interface ChatModel {
  readonly name: string
  readonly aliases?: readonly string[]
  readonly shape: ModelShape
  /** The repository of its makers: safetensors, in `native` numbers. */
  readonly hub: string
  /** Left out: bf16. */
  readonly native?: 'fp8' | 'mxfp4'
  /** Repositories of others: GGUF files in several mixes, FP8, AWQ, MLX in 4 bit. */
  readonly gguf?: string
  /** Mixes there; left out: the usual ones. */
  readonly mixes?: readonly GgufMix[]
  readonly fp8?: string
  readonly awq?: string
  readonly mlx?: string
  /** A mix by rules of its maker's own: nothing but its size is known without its header. */
  readonly published?: { readonly repo: string; readonly name: string; readonly bytes: number }
}
