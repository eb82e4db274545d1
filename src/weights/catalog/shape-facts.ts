/** From a shape and a way to write numbers to what the headers of such files would say. */
import type { WeightsFormat } from '#core/engine-build.ts'
import type { ModelFacts, TensorBytes } from '#core/model-facts.ts'
import { type GgufMix, mixedType } from '#weights/catalog/gguf-mix.ts'
import { type ModelShape, type ShapeTensor, tensorsOf } from '#weights/catalog/model-shape.ts'
import { TensorTally } from '#weights/formats/tensor-tally.ts'

export function ggufShapeFacts(shape: ModelShape, mix: GgufMix): ModelFacts {
  return factsOf(shape, 'gguf', mix, (tensor) => {
    const { blockWeights, blockBytes } = mixedType(tensor, mix, shape)
    return (tensor.row * tensor.rows * blockBytes) / blockWeights
  })
}

/**
 * Of a file whose mix follows no known rule: the size is published, and its parts are taken to be
 * in the proportions of the mix that is nearest.
 */
export function publishedShapeFacts(shape: ModelShape, name: string, bytes: number): ModelFacts {
  const like = ggufShapeFacts(shape, 'Q4_K_M')
  const factor = bytes / like.tensorBytes
  const scaled = (parts: readonly number[]) => parts.map((part) => part * factor)
  const { byLayer, expertsByLayer, tokenEmbedding, output, other } = like.tensorBytesByPart
  const tensorBytesByPart: TensorBytes = {
    byLayer: scaled(byLayer),
    expertsByLayer: scaled(expertsByLayer),
    tokenEmbedding: tokenEmbedding * factor,
    output: output * factor,
    other: other * factor,
  }
  return {
    ...like,
    quantization: name,
    tensorBytes: bytes,
    bitsPerWeight: (bytes * 8) / like.parameterCount,
    tensorBytesByPart,
  }
}

export type TensorNumbers = 'bf16' | 'fp8' | 'awq 4-bit' | 'mxfp4' | 'mlx 4-bit'

/** Bits of a weight in the matrices that are quantized, scales and zero points included. */
const matrixBits: Readonly<Record<TensorNumbers, number>> = {
  bf16: 16,
  // One scale of 16 bit for 128 × 128 weights, or for a row: nothing that counts.
  fp8: 8,
  // A scale of 16 and a zero point of 4 bit for each 128 weights.
  'awq 4-bit': 4 + 20 / 128,
  mxfp4: 4.25,
  // A scale and a bias of 16 bit for each 64.
  'mlx 4-bit': 4.5,
}

export function safetensorsShapeFacts(shape: ModelShape, numbers: TensorNumbers): ModelFacts {
  const format = numbers === 'mlx 4-bit' ? 'mlx' : 'safetensors'
  const name = numbers === 'bf16' ? 'BF16' : numbers
  return factsOf(shape, format, name, (tensor) => {
    const bits = isQuantized(tensor, numbers) ? matrixBits[numbers] : 16
    return (tensor.row * tensor.rows * bits) / 8
  })
}

/** Embedding and output stay in 16 bit, but not with MLX; MXFP4 is for experts alone. */
function isQuantized({ name, isVector }: ShapeTensor, numbers: TensorNumbers): boolean {
  if (isVector) return false
  if (numbers === 'mlx 4-bit') return true
  if (numbers === 'mxfp4') return name.includes('_exps.')
  return name.startsWith('blk.')
}

function factsOf(
  shape: ModelShape,
  format: WeightsFormat,
  quantization: string,
  bytesOf: (tensor: ShapeTensor) => number,
): ModelFacts {
  const tally = new TensorTally()
  for (const tensor of tensorsOf(shape)) {
    const { name, row, rows } = tensor
    // Position factors are written by converters; the original has them in its configuration.
    if (format !== 'gguf' && name.startsWith('rope_freqs')) continue
    tally.add({ name, weightCount: row * rows, bytes: bytesOf(tensor), type: quantization })
  }
  const { latent, window, experts } = shape
  const key =
    latent === undefined ? shape.headDimension : latent.keyDimension + latent.ropeDimension
  return {
    format,
    architecture: shape.architecture,
    name: null,
    parameterCount: tally.weightCount,
    quantization,
    bitsPerWeight: tally.bitsPerWeight,
    tensorBytes: tally.bytes,
    tensorBytesByPart: tally.bytesByPart,
    tensorCount: tally.tensorCount,
    contextTokens: shape.contextTokens,
    layerCount: shape.layers,
    embeddingLength: shape.hidden,
    feedForwardLength: shape.feedForward || experts?.feedForward || null,
    headCount: shape.heads,
    kvHeadCount: shape.kvHeads,
    keyDimension: key,
    valueDimension: latent?.valueDimension ?? shape.headDimension,
    attention: Array.from({ length: shape.layers }, (_, layer) => ({
      kvHeadCount: shape.kvHeads,
      windowTokens:
        window === undefined || (layer + 1) % window.globalEvery === 0 ? null : window.tokens,
    })),
    latentAttention:
      latent === undefined
        ? null
        : { kvLoraRank: latent.kvRank, ropeDimension: latent.ropeDimension },
    experts:
      experts === undefined ? null : { count: experts.count, usedPerToken: experts.usedPerToken },
    vocabularySize: shape.vocabulary,
    chatTemplate: null,
    pooling: null,
  }
}
