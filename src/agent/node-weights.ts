/** The weights of this node: brought here when a replica needs them, kept where engines read them. */
import { join } from 'node:path'
import type { WeightsFormat } from '#core/engine-build.ts'
import { type PullContext, pullWeights } from '#weights/pull.ts'
import { parseReference, referenceText } from '#weights/reference.ts'

export interface LocalWeights {
  readonly format: WeightsFormat
  /** The file, or the folder, that an engine is given. */
  readonly path: string
  /** Holds all of it, targets of links included. */
  readonly root: string
  /** As the store knows it. */
  readonly reference: string
  /** Of the files that are read for every token: without images and configuration. */
  readonly weightsBytes: number
  /** What had to come over the network for it just now. */
  readonly transferredBytes: number
}

export type WeightsContext = Omit<PullContext, 'onEvent' | 'signal'>

/** What was found is no model. */
export class NoWeightsError extends Error {}

/** Rejects as `pullWeights` does, and with {@link NoWeightsError}. `onProgress` gets bytes that are here and bytes in all. */
export async function bringWeights(
  source: string,
  context: WeightsContext,
  signal: AbortSignal,
  onProgress: (doneBytes: number, totalBytes: number | null) => void,
): Promise<LocalWeights> {
  const reference = parseReference(source)
  let doneBytes = 0
  let totalBytes: number | null = null
  const { model, folder, transferredBytes } = await pullWeights(reference, {
    ...context,
    signal,
    onEvent(event) {
      if (event.kind === 'planned') totalBytes = event.totalBytes
      if (event.kind === 'progress') doneBytes += event.bytes
      if (event.kind === 'planned' || event.kind === 'progress') onProgress(doneBytes, totalBytes)
    },
  })
  const ggufs = model.files.filter(({ path }) => path.endsWith('.gguf')).map(({ path }) => path)
  // Of a model in several files, engines are given the first and find the others.
  const hasSafetensors = model.files.some(({ path }) => path.endsWith('.safetensors'))
  if (ggufs.length === 0 && !hasSafetensors) {
    throw new NoWeightsError(
      `${referenceText(reference)} holds no model: there is no GGUF and no safetensors file in it`,
    )
  }
  const first = ggufs.filter((path) => !/mmproj/i.test(path)).toSorted()[0] ?? ggufs[0]
  const weights = model.files.filter(
    ({ path }) => /\.(gguf|safetensors)$/.test(path) && !/mmproj/i.test(path),
  )
  return {
    format: first === undefined ? 'safetensors' : 'gguf',
    path: first === undefined ? folder : join(folder, first),
    root: context.store.directory,
    reference: referenceText(reference),
    weightsBytes: weights.reduce((total, { sizeBytes }) => total + sizeBytes, 0),
    transferredBytes,
  }
}
