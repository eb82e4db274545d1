/** Facts of a model of the shape of Llama 3.1 8B in Q4_K_M, for tests that change some of them. */
import type { ModelFacts } from '#core/model-facts.ts'

export function testFacts(own: Partial<ModelFacts> = {}): ModelFacts {
  const layers = 32
  return {
    ...{ format: 'gguf', architecture: 'llama', name: null, parameterCount: 8_030_261_312 },
    ...{ quantization: 'Q4_K_M', bitsPerWeight: 4.89, tensorBytes: 4_912_898_304 },
    tensorBytesByPart: {
      byLayer: Array.from({ length: layers }, () => 130_000_000),
      expertsByLayer: Array.from({ length: layers }, () => 0),
      ...{ tokenEmbedding: 295_501_824, output: 430_940_160, other: 26_456_320 },
    },
    ...{ tensorCount: 292, contextTokens: 131_072, layerCount: layers, embeddingLength: 4_096 },
    ...{ feedForwardLength: 14_336, headCount: 32, kvHeadCount: 8 },
    ...{ keyDimension: 128, valueDimension: 128 },
    attention: Array.from({ length: layers }, () => ({ kvHeadCount: 8, windowTokens: null })),
    ...{ latentAttention: null, experts: null, vocabularySize: 128_256 },
    ...{ chatTemplate: null, pooling: null },
    ...own,
  }
}
