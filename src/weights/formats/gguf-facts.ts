/** From the metadata of a GGUF file to the facts of its model. */
import type { LayerAttention, ModelFacts } from '#core/model-facts.ts'
import { ggufFileTypes, guessedFileType } from '#weights/formats/ggml-types.ts'
import { type GgufHeader, type GgufValue, numberOf } from '#weights/formats/gguf.ts'

/**
 * Every how-manieth layer sees the whole context, where the file does not say. llama.cpp knows
 * these by architecture, in its `llama-model.cpp` (`set_swa_pattern`).
 */
const slidingPatterns: Readonly<Record<string, number>> = {
  gemma2: 2,
  gemma3: 6,
  gemma3n: 5,
  'gpt-oss': 2,
  cohere2: 4,
  exaone4: 4,
}

const poolings = ['none', 'mean', 'cls', 'last', 'rank'] as const

/** A layer count beyond this is damage; lists of that length are not built. */
const layersMax = 4096

/** `parts`: the first header of a split model has the metadata, the others add their tensors. */
export function ggufFacts(parts: readonly [GgufHeader, ...GgufHeader[]]): ModelFacts {
  const { metadata } = parts[0]
  const architecture = textOf(metadata.get('general.architecture')) ?? 'unknown'
  const own = (key: string) => metadata.get(`${architecture}.${key}`)
  const tallies = parts.map(({ tally }) => tally)
  const tensorBytes = sum(tallies.map(({ bytes }) => bytes))
  const parameterCount = sum(tallies.map(({ weightCount }) => weightCount))

  const layerCount = Math.min(numberOf(own('block_count')) ?? 0, layersMax)
  const headCount = largest(own('attention.head_count'))
  const embeddingLength = numberOf(own('embedding_length'))
  const kvHeads = own('attention.head_count_kv') ?? own('attention.head_count')
  const headDimension =
    embeddingLength !== null && headCount !== null && headCount > 0
      ? embeddingLength / headCount
      : null
  const kvLoraRank = numberOf(own('attention.kv_lora_rank'))
  const expertCount = numberOf(own('expert_count')) ?? 0

  return {
    format: 'gguf',
    architecture,
    name: textOf(metadata.get('general.name')),
    parameterCount,
    quantization: quantizationOf(parts),
    bitsPerWeight: parameterCount === 0 ? 0 : (tensorBytes * 8) / parameterCount,
    tensorBytes,
    tensorBytesByPart: addParts(parts),
    tensorCount: sum(tallies.map(({ tensorCount }) => tensorCount)),
    contextTokens: numberOf(own('context_length')),
    layerCount,
    embeddingLength,
    feedForwardLength: largest(own('feed_forward_length')),
    headCount,
    kvHeadCount: largest(kvHeads),
    keyDimension: numberOf(own('attention.key_length')) ?? headDimension,
    valueDimension: numberOf(own('attention.value_length')) ?? headDimension,
    attention: attentionOf(architecture, own, kvHeads, layerCount),
    latentAttention:
      kvLoraRank === null || kvLoraRank === 0
        ? null
        : { kvLoraRank, ropeDimension: numberOf(own('rope.dimension_count')) ?? 0 },
    experts:
      expertCount === 0
        ? null
        : { count: expertCount, usedPerToken: numberOf(own('expert_used_count')) ?? expertCount },
    vocabularySize:
      lengthOf(metadata.get('tokenizer.ggml.tokens')) ??
      numberOf(own('vocab_size')) ??
      parts[0].embeddingRows,
    chatTemplate: textOf(metadata.get('tokenizer.chat_template')),
    pooling: poolings[numberOf(own('pooling_type')) ?? -1] ?? null,
  }
}

function attentionOf(
  architecture: string,
  own: (key: string) => GgufValue | undefined,
  kvHeads: GgufValue | undefined,
  layerCount: number,
): readonly LayerAttention[] {
  if (kvHeads === undefined) return []
  const window = numberOf(own('attention.sliding_window')) ?? 0
  const pattern =
    own('attention.sliding_window_pattern') ?? slidingPatterns[architecture] ?? undefined
  const fullInterval = numberOf(own('full_attention_interval')) ?? 0
  return Array.from({ length: layerCount }, (_, layer) => {
    const recurrent = fullInterval > 0 && (layer + 1) % fullInterval !== 0
    return {
      kvHeadCount: recurrent ? 0 : (numberAt(kvHeads, layer) ?? 0),
      windowTokens: window > 0 && slides(pattern, layer) ? window : null,
    }
  })
}

/** A number n: all but every nth layer slide. A list: one entry a layer. Nothing known: none do. */
function slides(pattern: GgufValue | undefined, layer: number): boolean {
  if (typeof pattern === 'number') return pattern > 0 && layer % pattern < pattern - 1
  return Array.isArray(pattern) ? Boolean(pattern[layer]) : false
}

function quantizationOf([first, ...others]: readonly [GgufHeader, ...GgufHeader[]]): string | null {
  const fileType = numberOf(first.metadata.get('general.file_type'))
  const named = fileType === null ? undefined : ggufFileTypes.get(fileType % guessedFileType)
  // Without a name, the type that most bytes have says best what it is.
  return named ?? first.tally.mainType ?? others[0]?.tally.mainType ?? null
}

function addParts(parts: readonly GgufHeader[]): ModelFacts['tensorBytesByPart'] {
  const all = parts.map(({ tally }) => tally.bytesByPart)
  const longest = Math.max(...all.map(({ byLayer }) => byLayer.length))
  const layers = (pick: (part: (typeof all)[number]) => readonly number[]) =>
    Array.from({ length: longest }, (_, layer) => sum(all.map((part) => pick(part)[layer] ?? 0)))
  return {
    byLayer: layers((part) => part.byLayer),
    expertsByLayer: layers((part) => part.expertsByLayer),
    tokenEmbedding: sum(all.map((part) => part.tokenEmbedding)),
    output: sum(all.map((part) => part.output)),
    other: sum(all.map((part) => part.other)),
  }
}

function numberAt(value: GgufValue, index: number): number | null {
  return numberOf(Array.isArray(value) ? value[index] : value)
}

/** Of a number or a list of them, one a layer. */
function largest(value: GgufValue | undefined): number | null {
  if (!Array.isArray(value)) return numberOf(value)
  const numbers = value.filter((each): each is number => typeof each === 'number')
  return numbers.length === 0 ? null : Math.max(...numbers)
}

function textOf(value: GgufValue | undefined): string | null {
  return typeof value === 'string' ? value : null
}

function lengthOf(value: GgufValue | undefined): number | null {
  return typeof value === 'object' ? value.length : null
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
