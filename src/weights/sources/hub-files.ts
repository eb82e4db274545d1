/**
 * Which files of a repository make the model that was asked for. Pure: a list of files and a
 * reference go in, a choice or a reason comes out.
 */
import { nearest } from '#std/closest.ts'
import { readableFormats } from '#weights/formats/weights-format.ts'
import type { HubReference } from '#weights/reference.ts'
import { chooseOtherFormat, shortList } from '#weights/sources/other-formats.ts'
import { WeightsError } from '#weights/weights-error.ts'

export interface HubFile {
  readonly path: string
  readonly sizeBytes: number
}

/** What people take who do not choose: the best answer for its size, and what llama.cpp takes. */
const defaultQuantization = 'Q4_K_M'

const quantizationInName =
  /(?:^|[-._/])((?:UD-)?(?:I?Q\d(?:_[A-Z0-9]+)*|TQ\d_\d|MXFP4(?:_MOE)?|NVFP4|BF16|F16|F32|FP16|FP32))(?=$|[-._/])/i
const splitEnding = /-(\d{5})-of-(\d{5})(?=\.(?:gguf|safetensors)$)/

/** Not the model itself: encoders of images, statistics of a quantizer, drafts. */
const besideModel = /(?:^|\/)(?:mmproj|imatrix)|imatrix[^/]*\.gguf$/i

/** What engines read beside safetensors. No code and no pickles: loading those runs programs. */
const companion =
  /(?:^|\/)(?:[^/]*\.json|tokenizer\.model|[^/]*\.jinja|vocab(?:ulary)?\.txt|merges\.txt|[^/]*\.tiktoken|tekken\.json|spiece\.model|sentencepiece\.bpe\.model)$/
/** Copies of the same weights for other programs. */
const copies = /^(?:original|onnx|openvino|coreml|flax|tf|metal|gguf)\//
const pickles = /\.(?:bin|pt|pth|ckpt)$/

/** @throws {WeightsError} that lists what there is. */
export function chooseFiles<File extends HubFile>(
  files: readonly File[],
  reference: HubReference,
): readonly File[] {
  if (reference.path !== null) return chooseByPath(files, reference.path, nameOf(reference))
  const ggufs = files.filter(({ path }) => /\.gguf$/i.test(path))
  const models = ggufs.filter(({ path }) => !besideModel.test(path))
  if (reference.quantization !== null) {
    return withProjector(chooseQuantization(models, reference), ggufs)
  }
  const safetensors = chooseSafetensors(files)
  if (safetensors.length > 0) return safetensors
  if (models.length > 0) return withProjector(chooseUsual(models, reference), ggufs)
  const others = chooseOthers(files, nameOf(reference))
  if (others.length > 0) return others
  const pickled = files.some(({ path }) => pickles.test(path))
  throw new WeightsError(
    'not_found',
    pickled
      ? `${nameOf(reference)} has only pickled weights (.bin, .pt), which run programs when they are loaded: look for a repository with safetensors or GGUF`
      : `${nameOf(reference)} has no model that an engine reads: those are ${readableFormats}`,
  )
}

/** `Q4_K_M` in `Qwen3-8B-Q4_K_M.gguf` and `Q4_K_M/model-00001-of-00002.gguf`; null where none is. */
export function quantizationOf(path: string): string | null {
  const matched = quantizationInName.exec(path.replace(/\.gguf$/i, '').replace(splitEnding, ''))
  return matched?.[1]?.toUpperCase() ?? null
}

function chooseByPath<File extends HubFile>(
  files: readonly File[],
  path: string,
  name: string,
): readonly File[] {
  const exact = files.find((file) => file.path === path)
  if (exact !== undefined) return partsOf(exact, files)
  const folder = `${path.replace(/\/$/, '')}/`
  const inside = files.filter((file) => file.path.startsWith(folder))
  if (inside.length > 0) {
    const chosen = inside.filter(({ path: each }) => /\.(gguf|safetensors)$/i.test(each))
    if (chosen.length > 0)
      return inside.filter((file) => chosen.includes(file) || companion.test(file.path))
    const others = chooseInside(inside, folder, name)
    if (others.length > 0) return others
  }
  const near = nearest(
    path,
    files.map((file) => file.path),
    3,
  )
  throw new WeightsError(
    'not_found',
    `${name} has no file ${path}; ${near.length === 0 ? 'it is empty' : `near it: ${near.join(', ')}`}`,
  )
}

function chooseInside<File extends HubFile>(
  inside: readonly File[],
  folder: string,
  name: string,
): readonly File[] {
  const relative = inside.map((file) => ({ ...file, path: file.path.slice(folder.length), file }))
  return chooseOthers(relative, `${name}/${folder.slice(0, -1)}`).map(({ file }) => file)
}

/** A file, or all parts of the split file it belongs to. */
function partsOf<File extends HubFile>(file: File, files: readonly File[]): readonly File[] {
  const [, , count] = splitEnding.exec(file.path) ?? []
  if (count === undefined) return [file]
  const same = (path: string) => path.replace(splitEnding, '')
  const parts = files.filter((each) => {
    const [, , ofCount] = splitEnding.exec(each.path) ?? []
    return ofCount === count && same(each.path) === same(file.path)
  })
  if (parts.length !== Number(count)) {
    throw new WeightsError(
      'not_found',
      `${file.path} is one of ${Number(count)} parts, and only ${parts.length} are there`,
    )
  }
  return parts.sort((one, other) => (one.path < other.path ? -1 : 1))
}

function chooseQuantization<File extends HubFile>(
  models: readonly File[],
  reference: HubReference,
): readonly File[] {
  const wanted = reference.quantization?.toUpperCase() ?? ''
  const found =
    models.find(({ path }) => quantizationOf(path) === wanted) ??
    // A name that is no quantization as we know them: a new one, or a word such as `imat`.
    models.find(({ path }) => path.toUpperCase().split(/[-./]/).includes(wanted))
  if (found !== undefined) return partsOf(found, models)
  throw new WeightsError(
    'not_found',
    models.length === 0
      ? `${nameOf(reference)} has no GGUF files, and only those have quantizations to choose from: leave out :${reference.quantization}`
      : `${nameOf(reference)} has no ${reference.quantization}; it has ${listed(models)}`,
  )
}

function chooseUsual<File extends HubFile>(
  models: readonly File[],
  reference: HubReference,
): readonly File[] {
  const usual = models.find(({ path }) => quantizationOf(path) === defaultQuantization)
  if (usual !== undefined) return partsOf(usual, models)
  const [first] = models
  const wholes = new Set(models.map(({ path }) => path.replace(splitEnding, '')))
  if (first !== undefined && wholes.size === 1) return partsOf(first, models)
  throw new WeightsError(
    'not_found',
    `${nameOf(reference)} has no ${defaultQuantization}, which is the default; choose one of ${listed(models)}, as hf:${nameOf(reference)}:${quantizationOf(first?.path ?? '') ?? 'Q8_0'}`,
  )
}

function chooseSafetensors<File extends HubFile>(files: readonly File[]): readonly File[] {
  const own = files.filter(({ path }) => !copies.test(path))
  const weights = own.filter(({ path }) => path.endsWith('.safetensors'))
  if (weights.length === 0) return []
  // Mistral's `consolidated.safetensors` is the same weights once more.
  const standard = weights.filter(({ path }) => !/(^|\/)consolidated/.test(path))
  const chosen = standard.length > 0 ? standard : weights
  return own.filter((file) => chosen.includes(file) || companion.test(file.path))
}

/** A model of the other formats; none where there is nothing of the kind. */
function chooseOthers<File extends HubFile>(files: readonly File[], name: string): readonly File[] {
  const choice = chooseOtherFormat(files)
  if (choice.kind === 'none') return []
  if (choice.kind === 'files') return choice.files
  const [first = ''] = choice.paths
  throw new WeightsError(
    'not_found',
    `${name} has ${choice.paths.length} models; name one, as hf:${name}/${first}: ${shortList(choice.paths)}`,
  )
}

/** A model that sees needs its image encoder: one of them, F16 where there is a choice. */
function withProjector<File extends HubFile>(
  chosen: readonly File[],
  ggufs: readonly File[],
): readonly File[] {
  const projectors = ggufs.filter(({ path }) => /(^|\/)mmproj[^/]*\.gguf$/i.test(path))
  const projector =
    projectors.find(({ path }) => /[-._](?:f16|fp16)\b/i.test(path)) ?? projectors[0]
  return projector === undefined || chosen.includes(projector) ? chosen : [...chosen, projector]
}

function listed(models: readonly HubFile[]): string {
  const quantizations = new Set(
    models.map(({ path }) => quantizationOf(path) ?? path.replace(splitEnding, '')),
  )
  return [...quantizations].sort().join(', ')
}

function nameOf({ owner, repo }: HubReference): string {
  return `${owner}/${repo}`
}
