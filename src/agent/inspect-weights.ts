/** What weights are, wherever they lie, for a controller that plans with them before any download. */
import type { WeightsContext } from '#agent/node-weights.ts'
import type { InspectedWeights } from '#protocol/inspected-weights.ts'
import { inspectFiles, resolvedFiles, storedFiles } from '#weights/inspect.ts'
import { parseReference, referenceText } from '#weights/reference.ts'
import type { SourceContext } from '#weights/source.ts'
import { resolveWeights } from '#weights/sources/index.ts'

/** Headers of a model of 40 GB are some megabytes; a hub that is slow takes a minute for them. */
export const inspectWithinMs = 120_000

/** Rejects as `inspectFiles` and sources do. What is here needs no network. */
export async function inspectWeights(
  source: string,
  weights: WeightsContext,
): Promise<InspectedWeights> {
  const reference = parseReference(source)
  const text = referenceText(reference)
  const stored = (await weights.store.models()).find((model) => model.reference === text)
  if (stored !== undefined) {
    const files = storedFiles(stored, weights.store)
    return { source: text, facts: await inspectFiles(files), sizeBytes: sumOf(stored.files) }
  }
  const context: SourceContext = {
    ...weights,
    signal: AbortSignal.timeout(inspectWithinMs),
    onWait: () => {},
  }
  const { files } = await resolveWeights(reference, context)
  const facts = await inspectFiles(resolvedFiles(files, context))
  return { source: text, facts, sizeBytes: sumOf(files) }
}

function sumOf(files: readonly { readonly sizeBytes: number | null }[]): number {
  return files.reduce((total, { sizeBytes }) => total + (sizeBytes ?? 0), 0)
}
