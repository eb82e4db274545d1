/**
 * Sums over the tensors of a model, one tensor at a time: a header may promise a million of them,
 * and none has to be remembered.
 */
import type { TensorBytes } from '#core/model-facts.ts'

/** The deepest model known has 128 layers; a number beyond this in a tensor's name is no layer. */
const layersMax = 4096

/** `blk.7.…` in GGUF; `model.layers.7.…`, `transformer.h.7.…` in safetensors. */
const layerName = /(?:^|\.)(?:blk|layers|layer|h|blocks)\.(\d{1,5})\./
/** Encoders of images and sounds have layers too, which are not those of the language model. */
const otherTower = /^(?:v|a|mm)\.|vision|visual|audio|projector|mm_/
const expertName = /_exps\.|\.experts\./
const embeddingName = /^token_embd\.|(?:^|\.)(?:embed_tokens|wte|tok_embeddings|word_embeddings)\./
const outputName = /^output\.|(?:^|\.)lm_head\./

export interface TallyTensor {
  readonly name: string
  /** Weights as numbers; 0 for scales and other companions of quantized weights. */
  readonly weightCount: number
  readonly bytes: number
  /** Of the format, as it names it: `Q4_K`, `BF16`. */
  readonly type: string
}

export class TensorTally {
  tensorCount = 0
  weightCount = 0
  bytes = 0
  readonly bytesByType = new Map<string, number>()
  readonly #byLayer: number[] = []
  readonly #expertsByLayer: number[] = []
  #tokenEmbedding = 0
  #output = 0
  #other = 0

  add({ name, weightCount, bytes, type }: TallyTensor): void {
    this.tensorCount += 1
    this.weightCount += weightCount
    this.bytes += bytes
    this.bytesByType.set(type, (this.bytesByType.get(type) ?? 0) + bytes)
    const layer = otherTower.test(name) ? null : layerName.exec(name)
    const index = layer === null ? layersMax : Number(layer[1])
    if (index < layersMax) {
      while (this.#byLayer.length <= index) {
        this.#byLayer.push(0)
        this.#expertsByLayer.push(0)
      }
      this.#byLayer[index] = (this.#byLayer[index] ?? 0) + bytes
      if (expertName.test(name)) {
        this.#expertsByLayer[index] = (this.#expertsByLayer[index] ?? 0) + bytes
      }
    } else if (embeddingName.test(name)) this.#tokenEmbedding += bytes
    else if (outputName.test(name)) this.#output += bytes
    else this.#other += bytes
  }

  get bytesByPart(): TensorBytes {
    return {
      byLayer: [...this.#byLayer],
      expertsByLayer: [...this.#expertsByLayer],
      tokenEmbedding: this.#tokenEmbedding,
      output: this.#output,
      other: this.#other,
    }
  }

  get bitsPerWeight(): number {
    return this.weightCount === 0 ? 0 : (this.bytes * 8) / this.weightCount
  }

  /** The type that most bytes have; null for a file without tensors. */
  get mainType(): string | null {
    let main: string | null = null
    let mainBytes = -1
    for (const [type, bytes] of this.bytesByType) {
      if (bytes > mainBytes) [main, mainBytes] = [type, bytes]
    }
    return main
  }
}
