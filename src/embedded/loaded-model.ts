/** A model in memory, with everything about it that does not change while it serves. */
import { freemem } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import type { Llama, LlamaContext, LlamaModel, Token } from 'node-llama-cpp'
import { createBatchOrder } from '#embedded/batch-order.ts'
import { ChatFormat, type PromptPiece } from '#embedded/chat-format.ts'
import { checkGgufFile, ModelFileError } from '#embedded/gguf-file.ts'
import { importLlama, type LlamaModule } from '#embedded/variant.ts'
import { createTokenBytes, type TokenBytes } from '#embedded/vocabulary-bytes.ts'

export interface LoadOptions {
  readonly modelPath: string
  readonly slots: number
  /** Context of each slot; the one the model was trained on, or what fits, when left out. */
  readonly contextTokens?: number | undefined
  readonly threads?: number | undefined
  /** Layers on the GPU, the output being one more; as many as fit when left out. */
  readonly gpuLayers?: number | undefined
  /** Numbers that keys and values are kept in; 16 bit when left out. */
  readonly kvCacheType?: EmbeddedKvCacheType | undefined
  /** `false` uses the CPU only. */
  readonly variant: 'auto' | false
  /** A folder made by `installVariant`, for a GPU build. */
  readonly engineDirectory?: string | undefined
  /** How many slots are at work now; a batch waits a moment for all of them. */
  readonly busySlots: () => number
  readonly warn: (message: string) => void
}

export const embeddedKvCacheTypes = ['f16', 'q8_0', 'q4_0'] as const
export type EmbeddedKvCacheType = (typeof embeddedKvCacheTypes)[number]

const ggmlTypes = { f16: 'F16', q8_0: 'Q8_0', q4_0: 'Q4_0' } as const

/** What the model file says about the model. */
interface ModelFacts {
  readonly vocabularyType: string
  readonly vocabularyTokens: number
  readonly trainContextTokens: number
  readonly embeddingSize: number
  readonly parameterCount: number
  readonly sizeBytes: number
}

export interface LoadedModel {
  readonly module: LlamaModule
  readonly llama: Llama
  readonly model: LlamaModel
  readonly context: LlamaContext
  readonly facts: ModelFacts
  /** Context of each slot. */
  readonly contextTokens: number
  readonly threads: number
  /** How many of its {@link layers} a GPU computes. */
  readonly gpuLayers: number
  readonly layers: number
  readonly chatFormat: ChatFormat
  readonly tokenBytes: TokenBytes
  readonly llamaCppVersion: string
  dispose(): Promise<void>
}

/**
 * Below this size one thread is faster than two: the threads of a tiny model only wait for each
 * other (700 tokens a second with one, 65 with two, for a model of 2 MB).
 */
const oneThreadBytes = 50 * 1024 * 1024

/** llama.cpp's own words about a failure arrive from another thread, a little after the failure. */
const logDelayMs = 20

/** Rejects with `ModelFileError` when the file cannot be loaded. */
export async function loadModel(options: LoadOptions): Promise<LoadedModel> {
  const { modelPath } = options
  let reason: string | undefined
  // What llama.cpp says of a file that it cannot load becomes one sentence, so it is held back
  // until the file is loaded.
  let held: string[] | null = []
  const warn = (message: string): void => {
    reason ??= /error loading model: (.*)/.exec(message)?.[1]
    if (held === null) options.warn(message)
    else held.push(message)
  }
  await checkGgufFile(modelPath)
  const module = await importLlama(options.engineDirectory)
  const llama = await module.getLlama({
    gpu: options.variant,
    build: 'never', // never compiles and never downloads
    skipDownload: true,
    progressLogs: false,
    maxThreads: 0, // the number of threads we ask for is the number we get
    logLevel: module.LlamaLogLevel.warn,
    logger: (_level, message) => warn(message.trimEnd()),
  })
  try {
    const { gpuLayers } = options
    const loading = gpuLayers === undefined ? { modelPath } : { modelPath, gpuLayers }
    const model = await llama.loadModel(loading).catch(async (cause: unknown) => {
      await setTimeout(logDelayMs)
      throw unloadable(modelPath, cause, reason)
    })
    for (const message of held) options.warn(message)
    held = null
    const threads = options.threads ?? (model.size <= oneThreadBytes ? 1 : llama.cpuMathCores)
    const context = await createContext(llama, model, options, threads)
    const metadata = model.fileInfo.metadata.tokenizer
    return {
      module,
      llama,
      model,
      context,
      threads,
      gpuLayers: llama.gpu === false ? 0 : model.gpuLayers,
      layers: model.fileInsights.totalLayers,
      contextTokens: context.contextSize,
      facts: factsOf(model, metadata.ggml.tokens.length),
      chatFormat: createChatFormat(model, metadata.chat_template, warn),
      tokenBytes: createTokenBytes(metadata.ggml.tokens, metadata.ggml.model),
      llamaCppVersion: llama.llamaCppRelease.release,
      dispose: () => llama.dispose(),
    }
  } catch (error) {
    await llama.dispose()
    throw error
  }
}

/**
 * The tokens of a prompt, with the model's own first token where it wants one. A plain piece is
 * tokenised apart, so that it cannot become a control token.
 */
export function tokenizePrompt(model: LlamaModel, pieces: readonly PromptPiece[]): Token[] {
  const tokens = pieces.flatMap(({ text, control }, index) =>
    index === 0 ? model.tokenize(text, control) : model.tokenize(text, control, 'trimLeadingSpace'),
  )
  const { bos, shouldPrependBosToken } = model.tokens
  if (shouldPrependBosToken && bos !== null && tokens[0] !== bos) tokens.unshift(bos)
  return tokens
}

/** How much of the free memory all contexts may take when nobody gave a size. */
const contextMemoryRatio = 0.5
const smallestContextTokens = 512

async function createContext(
  llama: Llama,
  model: LlamaModel,
  { slots, contextTokens, busySlots, warn, modelPath, kvCacheType }: LoadOptions,
  threads: number,
): Promise<LlamaContext> {
  const contextSize = contextTokens ?? (await largestContext(llama, model, slots))
  if (contextTokens === undefined && contextSize < model.trainContextSize) {
    warn(
      `The context of each of ${slots} slots is ${contextSize} tokens instead of ${model.trainContextSize}: more does not fit into memory.`,
    )
  }
  try {
    return await model.createContext({
      contextSize,
      sequences: slots,
      threads,
      ...(kvCacheType === undefined || kvCacheType === 'f16' ? {} : quantizedKv(kvCacheType)),
      batching: { itemPrioritizationStrategy: createBatchOrder(busySlots) },
    })
  } catch (cause) {
    throw new ModelFileError(
      `The model ${modelPath} does not fit into memory with ${slots} slots of ${contextSize} tokens; use fewer slots or a smaller context.`,
      { cause },
    )
  }
}

/** llama.cpp computes with quantized values in flash attention alone. */
function quantizedKv(type: EmbeddedKvCacheType) {
  return {
    flashAttention: true,
    experimentalKvCacheKeyType: ggmlTypes[type],
    experimentalKvCacheValueType: ggmlTypes[type],
  }
}

/** Halves the context of the model until all slots fit into the memory that is free. */
async function largestContext(llama: Llama, model: LlamaModel, slots: number): Promise<number> {
  const onGpu = llama.gpu !== false && model.gpuLayers > 0
  const freeBytes = onGpu ? (await llama.getVramState()).free : freemem()
  let contextSize = model.trainContextSize
  while (contextSize > smallestContextTokens) {
    const needed = await model.fileInsights.estimateContextResourceRequirementsV2({
      contextSize,
      sequences: slots,
      modelGpuLayers: model.gpuLayers,
    })
    const neededBytes = onGpu ? needed.gpuVram : needed.cpuRam
    if (neededBytes <= freeBytes * contextMemoryRatio) break
    contextSize = Math.max(smallestContextTokens, Math.floor(contextSize / 2))
  }
  return contextSize
}

function createChatFormat(
  model: LlamaModel,
  template: string | undefined,
  warn: (message: string) => void,
): ChatFormat {
  const controlTexts: string[] = []
  for (const token of model.iterateAllTokens()) {
    if (model.getTokenAttributes(token).control) {
      controlTexts.push(model.detokenize([token], true).trim())
    }
  }
  const options = {
    bosToken: model.tokens.bosString ?? '',
    eosToken: model.tokens.eosString ?? '',
    controlTexts,
  }
  try {
    return new ChatFormat({ ...options, template })
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error)
    warn(`The chat template of the model cannot be parsed, ChatML is used instead: ${words}`)
    return new ChatFormat(options)
  }
}

function factsOf(model: LlamaModel, vocabularyTokens: number): ModelFacts {
  const tensors = model.fileInfo.fullTensorInfo ?? model.fileInfo.tensorInfo ?? []
  const parameterCount = tensors.reduce(
    (sum, { dimensions }) => sum + dimensions.reduce<number>((size, n) => size * Number(n), 1),
    0,
  )
  return {
    vocabularyType: model.vocabularyType,
    vocabularyTokens,
    trainContextTokens: model.trainContextSize,
    embeddingSize: model.embeddingVectorSize,
    parameterCount,
    sizeBytes: model.size,
  }
}

function unloadable(modelPath: string, cause: unknown, reason = wordsOf(cause)): ModelFileError {
  const words = reason.replace(/[.\s]+$/, '')
  return new ModelFileError(
    `The model file ${modelPath} cannot be loaded (${words}); it may be damaged or too new for this engine: download it again or choose another.`,
    { cause },
  )
}

/**
 * A number of the header that makes no sense fails somewhere in Node or JavaScript, whose words are
 * about a variable and not about the file.
 */
function wordsOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  const isSlip = [RangeError, TypeError, SyntaxError].some((kind) => cause instanceof kind)
  return isSlip ? 'its header makes no sense' : cause.message
}
