/** The weights of this node: brought here when a replica needs them, kept where engines read them. */
import { realpath } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { WeightsFormat } from '#core/engine-build.ts'
import { layoutOf } from '#weights/layout.ts'
import { type PullContext, pullWeights } from '#weights/pull.ts'
import { parseReference, referenceText } from '#weights/reference.ts'
import type { StoredModel, WeightsStore } from '#weights/store.ts'

export interface LocalWeights {
  readonly format: WeightsFormat
  /** The file, or the folder, that an engine is given. */
  readonly path: string
  /** Holds all of it: the store, or what is laid out for an engine. */
  readonly root: string
  /** Files that links there lead to elsewhere, as on the disk of a program whose cache was adopted. */
  readonly outside: readonly string[]
  /** As the store knows it. */
  readonly reference: string
  /** Of the files that are read for every token: without images and configuration. */
  readonly weightsBytes: number
  /** What had to come over the network for it just now. */
  readonly transferredBytes: number
}

export type WeightsContext = Omit<PullContext, 'onEvent' | 'signal'>

/** Rejects as `pullWeights` does. `onProgress` gets bytes that are here and bytes in all. */
export async function bringWeights(
  source: string,
  context: WeightsContext,
  signal: AbortSignal,
  onProgress: (doneBytes: number, totalBytes: number | null) => void,
): Promise<LocalWeights> {
  const reference = parseReference(source)
  let doneBytes = 0
  let totalBytes: number | null = null
  const { model, format, folder, transferredBytes } = await pullWeights(reference, {
    ...context,
    signal,
    onEvent(event) {
      if (event.kind === 'planned') totalBytes = event.totalBytes
      if (event.kind === 'progress') doneBytes += event.bytes
      if (event.kind === 'planned' || event.kind === 'progress') onProgress(doneBytes, totalBytes)
    },
  })
  const layout = layoutOf(format, reference, model)
  const laid = layout === null ? null : await context.store.layOut(model, layout)
  return {
    format,
    path:
      layout === null || laid === null
        ? givenPath(model, format, folder)
        : join(laid, ...layout.given.split('/')),
    root: laid ?? context.store.directory,
    outside: await filesOutside(model, context.store, signal),
    reference: referenceText(reference),
    weightsBytes: model.files
      .filter(({ path }) => !besideWeights.test(path))
      .reduce((total, { sizeBytes }) => total + sizeBytes, 0),
    transferredBytes,
  }
}

/** Where the disk allows no links of its own, the store has symbolic ones. */
async function filesOutside(
  { files }: StoredModel,
  store: WeightsStore,
  signal: AbortSignal,
): Promise<string[]> {
  const root = await realpath(store.directory)
  const blobs = await Promise.all(files.map(({ sha256 }) => store.findBlob(sha256, signal)))
  const paths = blobs.map((blob) => (blob === null ? null : realpath(blob.path)))
  const real = (await Promise.all(paths)).filter((path) => path !== null)
  return [...new Set(real)].filter((path) => relative(root, path).startsWith('..'))
}

/** Configuration, vocabularies, voices, and encoders of images. */
const besideWeights = /\.(json|jinja|model|txt|tiktoken|xml|wav|md5)$|mmproj|(^|\/)voices\//i

/** Of a model in several files, engines that read single ones are given the first. */
function givenPath({ files }: StoredModel, format: WeightsFormat, folder: string): string {
  if (format !== 'gguf' && format !== 'ggml') return folder
  const paths = files.map(({ path }) => path).filter((path) => !besideWeights.test(path))
  return join(folder, paths.toSorted()[0] ?? files[0]?.path ?? '')
}
