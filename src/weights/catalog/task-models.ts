/**
 * Models for speech, embeddings and ranking. Parameter counts are recalled from their model cards;
 * file sizes follow from them, and agree with the published ones to a few percent: whisper
 * large-v3-turbo 1.6 GB in 16 bit, XTTS 1.9 GB, bge-m3 1.1 GB in 16 bit.
 */
import type { WeightsFormat } from '#core/engine-build.ts'
import type { ModelFacts } from '#core/model-facts.ts'
import type { Task } from '#core/task.ts'

export interface TaskModel {
  readonly name: string
  readonly aliases?: readonly string[]
  readonly tasks: readonly Task[]
  readonly parameterCount: number
  readonly layers: number
  readonly hidden: number
  readonly heads: number
  readonly feedForward: number
  readonly vocabulary: number
  readonly contextTokens: number | null
  readonly pooling: ModelFacts['pooling']
  readonly files: readonly TaskFile[]
}

export interface TaskFile {
  readonly source: string
  readonly format: WeightsFormat
  readonly quantization: 'F32' | 'F16' | 'Q8_0'
}

const encoder = (hub: string, gguf: string | null, quantization: 'F32' | 'F16' = 'F32') => [
  { source: `hf:${hub}`, format: 'safetensors' as const, quantization },
  ...(gguf === null
    ? []
    : [{ source: `hf:${gguf}:Q8_0`, format: 'gguf' as const, quantization: 'Q8_0' as const }]),
]

const whisper = (size: string, ctranslate2: string): readonly TaskFile[] => [
  { source: `hf:${ctranslate2}`, format: 'ctranslate2', quantization: 'F16' },
  { source: `hf:ggerganov/whisper.cpp/ggml-${size}.bin`, format: 'ggml', quantization: 'F16' },
  { source: `hf:openai/whisper-${size}`, format: 'safetensors', quantization: 'F16' },
]

const listens = {
  tasks: ['transcription', 'translation'],
  contextTokens: null,
  pooling: null,
  vocabulary: 51_866,
} as const

const bert = { heads: 16, feedForward: 4_096, hidden: 1_024, layers: 24 }
const embeds = { tasks: ['embedding'], pooling: 'cls' } as const

export const taskModels: readonly TaskModel[] = [
  {
    name: 'whisper-large-v3-turbo',
    ...listens,
    ...{ parameterCount: 808_878_080, layers: 32, hidden: 1_280, heads: 20, feedForward: 5_120 },
    files: whisper('large-v3-turbo', 'deepdml/faster-whisper-large-v3-turbo-ct2'),
  },
  {
    name: 'whisper-large-v3',
    ...listens,
    ...{ parameterCount: 1_543_490_560, layers: 64, hidden: 1_280, heads: 20, feedForward: 5_120 },
    files: whisper('large-v3', 'Systran/faster-whisper-large-v3'),
  },
  {
    name: 'whisper-medium',
    ...listens,
    ...{ parameterCount: 763_857_920, layers: 48, hidden: 1_024, heads: 16, feedForward: 4_096 },
    files: whisper('medium', 'Systran/faster-whisper-medium'),
  },
  {
    name: 'whisper-small',
    ...listens,
    ...{ parameterCount: 241_734_912, layers: 24, hidden: 768, heads: 12, feedForward: 3_072 },
    files: whisper('small', 'Systran/faster-whisper-small'),
  },
  {
    name: 'xtts-v2',
    tasks: ['speech'],
    ...{ parameterCount: 467_000_000, layers: 30, hidden: 1_024, heads: 16, feedForward: 4_096 },
    ...{ vocabulary: 6_681, contextTokens: null, pooling: null },
    files: [{ source: 'hf:coqui/XTTS-v2', format: 'xtts', quantization: 'F32' }],
  },
  {
    name: 'kokoro-82m',
    aliases: ['kokoro'],
    tasks: ['speech'],
    ...{ parameterCount: 81_763_410, layers: 12, hidden: 768, heads: 12, feedForward: 2_048 },
    ...{ vocabulary: 178, contextTokens: null, pooling: null },
    files: [{ source: 'hf:hexgrad/Kokoro-82M', format: 'kokoro', quantization: 'F32' }],
  },
  {
    name: 'bge-m3',
    ...{ ...embeds, ...bert, parameterCount: 567_754_752, vocabulary: 250_002 },
    contextTokens: 8_192,
    files: encoder('BAAI/bge-m3', 'gpustack/bge-m3-GGUF'),
  },
  {
    name: 'bge-large-en-v1.5',
    aliases: ['bge-large'],
    ...{ ...embeds, ...bert, parameterCount: 335_141_888, vocabulary: 30_522 },
    contextTokens: 512,
    files: encoder('BAAI/bge-large-en-v1.5', 'CompendiumLabs/bge-large-en-v1.5-gguf'),
  },
  {
    name: 'bge-small-en-v1.5',
    aliases: ['bge-small'],
    ...{ ...embeds, parameterCount: 33_360_512, vocabulary: 30_522, contextTokens: 512 },
    ...{ layers: 12, hidden: 384, heads: 12, feedForward: 1_536 },
    files: encoder('BAAI/bge-small-en-v1.5', 'CompendiumLabs/bge-small-en-v1.5-gguf'),
  },
  {
    name: 'nomic-embed-text-v1.5',
    aliases: ['nomic-embed-text'],
    tasks: ['embedding'],
    pooling: 'mean',
    ...{ parameterCount: 136_731_648, vocabulary: 30_528, contextTokens: 8_192 },
    ...{ layers: 12, hidden: 768, heads: 12, feedForward: 3_072 },
    files: encoder('nomic-ai/nomic-embed-text-v1.5', 'nomic-ai/nomic-embed-text-v1.5-GGUF'),
  },
  {
    name: 'bge-reranker-v2-m3',
    aliases: ['bge-reranker'],
    tasks: ['rerank', 'score'],
    ...{ ...bert, parameterCount: 567_755_777, vocabulary: 250_002, contextTokens: 8_192 },
    pooling: 'rank',
    files: encoder('BAAI/bge-reranker-v2-m3', 'gpustack/bge-reranker-v2-m3-GGUF'),
  },
]

const bits = { F32: 32, F16: 16, Q8_0: 8.5 } as const

/** Headers are not known, and for these engines nothing hangs on where in the file a tensor is. */
export function taskModelFacts(model: TaskModel, file: TaskFile): ModelFacts {
  const tensorBytes = (model.parameterCount * bits[file.quantization]) / 8
  const { layers, hidden, heads } = model
  return {
    format: file.format,
    architecture: 'unknown',
    name: null,
    parameterCount: model.parameterCount,
    quantization: file.quantization,
    bitsPerWeight: bits[file.quantization],
    tensorBytes,
    tensorBytesByPart: {
      byLayer: Array.from({ length: layers }, () => tensorBytes / layers),
      expertsByLayer: Array.from({ length: layers }, () => 0),
      tokenEmbedding: 0,
      output: 0,
      other: 0,
    },
    tensorCount: 0,
    contextTokens: model.contextTokens,
    layerCount: layers,
    embeddingLength: hidden,
    feedForwardLength: model.feedForward,
    headCount: heads,
    kvHeadCount: heads,
    keyDimension: hidden / heads,
    valueDimension: hidden / heads,
    attention: [],
    latentAttention: null,
    experts: null,
    vocabularySize: model.vocabulary,
    chatTemplate: null,
    pooling: model.pooling,
  }
}
