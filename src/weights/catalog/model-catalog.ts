/**
 * Models that Motley knows by name, with their files and what those hold: enough to plan with before
 * anything is downloaded, and without any network.
 */
import type { ModelVariant } from '#core/deployment.ts'
import type { Task } from '#core/task.ts'
import type { ChatModel } from '#weights/catalog/chat-model.ts'
import { chatModels } from '#weights/catalog/chat-models.ts'
import { type GgufMix, ggufMixes } from '#weights/catalog/gguf-mix.ts'
import {
  ggufShapeFacts,
  publishedShapeFacts,
  safetensorsShapeFacts,
  type TensorNumbers,
} from '#weights/catalog/shape-facts.ts'
import { taskModelFacts, taskModels } from '#weights/catalog/task-models.ts'

export interface CatalogModel {
  readonly name: string
  readonly aliases: readonly string[]
  readonly tasks: readonly Task[]
  readonly parameterCount: number
  /** Best first: from the most bits a weight to the fewest. */
  readonly variants: readonly ModelVariant[]
}

/** What a repository of GGUF files usually has. */
const usualMixes: readonly GgufMix[] = ['Q8_0', 'Q6_K', 'Q5_K_M', 'Q4_K_M']

/**
 * Mixes of fewer bits, on the average of a whole file: what llama.cpp's authors print for Llama 3.1
 * 8B. Other models come out within a few percent of it. Answers suffer visibly below 4 bits.
 */
export const averageBits = {
  IQ4_XS: 4.4597,
  Q3_K_M: 3.996,
  IQ3_XXS: 3.2548,
  IQ2_M: 2.9294,
  IQ2_XXS: 2.3824,
} as const

/** Makers whose repositories have those too. */
const makersOfSmallMixes = /^(bartowski|unsloth)\//

/** Every name that {@link catalogModel} knows, aliases after the names proper. */
export function catalogNames(): readonly string[] {
  const all = [...chatModels, ...taskModels]
  return [...all.map(({ name }) => name), ...all.flatMap(({ aliases = [] }) => aliases)]
}

export function catalogModel(name: string): CatalogModel | null {
  const wanted = name.toLowerCase()
  const isIt = (each: { readonly name: string; readonly aliases?: readonly string[] }) =>
    each.name === wanted || each.aliases?.includes(wanted) === true
  const chat = chatModels.find(isIt)
  if (chat !== undefined) return chatEntry(chat)
  const task = taskModels.find(isIt)
  if (task === undefined) return null
  return {
    name: task.name,
    aliases: task.aliases ?? [],
    tasks: task.tasks,
    parameterCount: task.parameterCount,
    variants: task.files.map((file) => ({
      source: file.source,
      format: file.format,
      engines: null,
      facts: taskModelFacts(task, file),
    })),
  }
}

/** One in a mix that its repository may not have: to reckon with, not to download. */
export function catalogVariant(name: string, quantization: string): ModelVariant | null {
  const entry = catalogModel(name)
  if (entry === null) return null
  const wanted = quantization.toLowerCase()
  const listed = entry.variants.find(
    ({ facts }) => facts?.quantization?.toLowerCase().replace(/ .*/, '') === wanted,
  )
  if (listed !== undefined) return listed
  const chat = chatModels.find((each) => each.name === entry.name)
  const mix = ggufMixes.find((each) => each.toLowerCase() === wanted)
  return chat?.gguf === undefined || mix === undefined ? null : ggufVariant(chat, chat.gguf, mix)
}

const chatEntries = new Map<string, CatalogModel>()

function chatEntry(model: ChatModel): CatalogModel {
  const known = chatEntries.get(model.name)
  if (known !== undefined) return known
  const variants = chatVariants(model).toSorted(
    (a, b) => (b.facts?.bitsPerWeight ?? 0) - (a.facts?.bitsPerWeight ?? 0),
  )
  const entry: CatalogModel = {
    name: model.name,
    aliases: model.aliases ?? [],
    tasks: ['chat', 'completion', 'responses', 'messages', 'tokenize'],
    parameterCount: variants[0]?.facts?.parameterCount ?? 0,
    variants,
  }
  chatEntries.set(model.name, entry)
  return entry
}

function chatVariants(model: ChatModel): readonly ModelVariant[] {
  const { shape, hub, native = 'bf16', fp8, awq, mlx, gguf, published, mixes = usualMixes } = model
  const tensors = (repo: string | undefined, numbers: TensorNumbers): readonly ModelVariant[] =>
    repo === undefined ? [] : [variant(`hf:${repo}`, safetensorsShapeFacts(shape, numbers))]
  const small = Object.entries(averageBits)
  return [
    ...tensors(hub, native),
    ...tensors(fp8, 'fp8'),
    ...tensors(awq, 'awq 4-bit'),
    ...tensors(mlx, 'mlx 4-bit'),
    ...(gguf === undefined ? [] : mixes.map((mix) => ggufVariant(model, gguf, mix))),
    ...(gguf !== undefined && makersOfSmallMixes.test(gguf) && model.mixes === undefined
      ? small.map(([mix, bits]) => {
          const { parameterCount } = ggufShapeFacts(shape, 'Q4_K_M')
          return variant(
            `hf:${gguf}:${mix}`,
            publishedShapeFacts(shape, mix, Math.round((parameterCount * bits) / 8)),
          )
        })
      : []),
    ...(published === undefined
      ? []
      : [
          variant(
            `hf:${published.repo}:${published.name}`,
            publishedShapeFacts(shape, published.name, published.bytes),
          ),
        ]),
  ]
}

function ggufVariant({ shape }: ChatModel, repo: string, mix: GgufMix): ModelVariant {
  return variant(`hf:${repo}:${mix === 'MXFP4' ? 'F16' : mix}`, ggufShapeFacts(shape, mix))
}

function variant(source: string, facts: NonNullable<ModelVariant['facts']>): ModelVariant {
  return { source, format: facts.format, engines: null, facts }
}
