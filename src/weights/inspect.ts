/**
 * What weights are, from their headers alone: of files here, in the store, or still on a hub. A model
 * of 40 GB costs a few megabytes to look at.
 */
import type { WeightsFormat } from '#core/engine-build.ts'
import type { ModelFacts } from '#core/model-facts.ts'
import { parseJson } from '#std/parse-json.ts'
import { type ByteSource, openFile } from '#weights/byte-source.ts'
import { refusalOf } from '#weights/first-look.ts'
import { fileKindOf, startBytes } from '#weights/formats/file-kind.ts'
import { type GgufHeader, readGgufHeader } from '#weights/formats/gguf.ts'
import { ggufFacts } from '#weights/formats/gguf-facts.ts'
import { readSafetensorsHeader, type SafetensorsHeader } from '#weights/formats/safetensors.ts'
import { safetensorsFacts } from '#weights/formats/safetensors-facts.ts'
import { weightsFormatOf } from '#weights/formats/weights-format.ts'
import { remoteSource } from '#weights/remote-source.ts'
import type { ResolvedFile, SourceContext } from '#weights/source.ts'
import type { StoredModel, WeightsStore } from '#weights/store.ts'
import { WeightsError } from '#weights/weights-error.ts'

/** A file of a model, and how to read it. */
export interface InspectedFile {
  readonly path: string
  readonly sizeBytes: number | null
  open(): Promise<ByteSource & { close?(): Promise<void> }>
}

/** A template or a configuration is a few hundred kilobytes at most; a tokenizer is not read. */
const companionBytesMax = 8 * 1024 * 1024

/** Files of a model that is here. */
export function storedFiles(model: StoredModel, store: WeightsStore): readonly InspectedFile[] {
  return model.files.map(({ path, sizeBytes, sha256 }) => ({
    path,
    sizeBytes,
    async open() {
      const blob = await store.findBlob(sha256)
      if (blob === null) {
        throw new WeightsError('not_found', `${path} of ${model.reference} has gone; pull it again`)
      }
      return openFile(blob.path)
    },
  }))
}

/** Files that a source has found. */
export function resolvedFiles(
  files: readonly ResolvedFile[],
  context: SourceContext,
): readonly InspectedFile[] {
  return files.map(({ path, sizeBytes, locations }) => ({
    path,
    sizeBytes,
    async open() {
      const [location] = locations
      if (location === undefined) throw new WeightsError('not_found', `nobody has ${path}`)
      return location.kind === 'local'
        ? openFile(location.path)
        : remoteSource(location, sizeBytes, context)
    },
  }))
}

/** Rejects with a {@link WeightsError} where there is no model, or its files are damaged. */
export async function inspectFiles(files: readonly InspectedFile[]): Promise<ModelFacts> {
  const ggufs = files.filter(({ path }) => /\.gguf$/i.test(path) && !/(^|\/)mmproj/i.test(path))
  if (ggufs.length > 0) {
    const headers: GgufHeader[] = []
    for (const file of ggufs) headers.push(await reading(file, readGgufHeader))
    const [first, ...others] = headers
    if (first !== undefined) return ggufFacts([first, ...others])
  }
  const tensors = files.filter(({ path }) => path.endsWith('.safetensors'))
  if (tensors.length > 0) {
    const headers: SafetensorsHeader[] = []
    for (const file of tensors) headers.push(await reading(file, readSafetensorsHeader))
    return safetensorsFacts(headers, await companionsOf(files))
  }
  const [only, ...more] = files
  if (only !== undefined && more.length === 0) return inspectOnly(only)
  const started = files
    .filter(({ path }) => /\.(bin|xml|pth|json)$/i.test(path))
    .map(async (file) => ({ path: file.path, start: await reading(file, readStart) }))
  const format = weightsFormatOf(await Promise.all(started))
  throw format === null
    ? new WeightsError('not_found', 'there are neither GGUF nor safetensors files')
    : headerless(format)
}

/** A link or a blob may have a name without an ending: its first bytes tell. */
async function inspectOnly(file: InspectedFile): Promise<ModelFacts> {
  const kind = fileKindOf(await reading(file, readStart))
  if (kind.kind !== 'weights' || kind.format === 'gguf') {
    return ggufFacts([await reading(file, readGgufHeader)])
  }
  if (kind.format !== 'safetensors') throw headerless(kind.format)
  return safetensorsFacts([await reading(file, readSafetensorsHeader)], await companionsOf([]))
}

const readStart = (source: ByteSource) => source.read(0, startBytes)

function headerless(format: WeightsFormat): WeightsError {
  return new WeightsError(
    'no_header',
    `it is ${format}, and that format does not say what is in it`,
  )
}

async function companionsOf(files: readonly InspectedFile[]) {
  const text = async (...paths: readonly string[]): Promise<string | null> => {
    for (const path of paths) {
      const file = files.find((each) => each.path === path)
      if (file === undefined || (file.sizeBytes ?? 0) > companionBytesMax) continue
      const bytes = await reading(file, (source) => source.read(0, companionBytesMax))
      return bytes.toString('utf8')
    }
    return null
  }
  const json = async (...paths: readonly string[]) => parseJson((await text(...paths)) ?? '')
  const tokenizer = await json('tokenizer_config.json')
  return {
    config: await json('config.json'),
    quantizationConfig: await json(
      'quantize_config.json',
      'quant_config.json',
      'hf_quant_config.json',
    ),
    poolingConfig: await json('1_Pooling/config.json'),
    chatTemplate: (await text('chat_template.jinja')) ?? templateOf(tokenizer),
  }
}

/** A text, or a list of named ones of which `default` counts. */
function templateOf(tokenizer: unknown): string | null {
  if (typeof tokenizer !== 'object' || tokenizer === null) return null
  const template: unknown = Reflect.get(tokenizer, 'chat_template')
  if (typeof template === 'string') return template
  if (!Array.isArray(template)) return null
  const named = template.find((each) => each?.name === 'default') ?? template[0]
  return typeof named?.template === 'string' ? named.template : null
}

async function reading<Result>(
  file: InspectedFile,
  read: (source: ByteSource) => Promise<Result>,
): Promise<Result> {
  const source = await file.open()
  try {
    return await read(source)
  } catch (error) {
    if (!(error instanceof WeightsError) || error.code !== 'bad_file') throw error
    // A page that a link led to is more than a damaged header.
    throw refusalOf(file.path, await readStart(source), source.name) ?? error
  } finally {
    await source.close?.()
  }
}
