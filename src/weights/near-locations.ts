/** Which nodes of the fleet have what is to be downloaded: they are near, and free of limits. */
import type { HttpLocation, ResolvedFile, SourceContext } from '#weights/source.ts'
import { nodeLocation, readList } from '#weights/sources/node.ts'
import { WeightsError } from '#weights/weights-error.ts'

/** Nodes are in the same house: one that is off must not hold up a pull. */
const answerMsMax = 3_000

/**
 * Where else files are, nearest first; those that no node has are left out. Rejects with the reason
 * of the signal alone: a node that cannot be asked is told to `onNote`.
 */
export async function nearLocations(
  files: readonly ResolvedFile[],
  nodes: readonly string[],
  source: SourceContext,
  onNote: (text: string) => void,
): Promise<ReadonlyMap<ResolvedFile, readonly HttpLocation[]>> {
  const known = files.flatMap((file) =>
    file.digest?.kind === 'sha256' ? [{ file, sha256: file.digest.hex }] : [],
  )
  const asked = known.length === 0 ? [] : nodes
  const shelves = await Promise.all(
    asked.map(async (url) => ({ url, hashes: await hashesOf(url, source, onNote) })),
  )
  return new Map(
    known.map(({ file, sha256 }) => {
      const having = shelves.filter(({ hashes }) => hashes.has(sha256))
      return [file, having.map(({ url }) => nodeLocation(url, sha256, source))]
    }),
  )
}

async function hashesOf(
  url: string,
  source: SourceContext,
  onNote: (text: string) => void,
): Promise<ReadonlySet<string>> {
  const { signal } = source
  try {
    const near = AbortSignal.any([signal, AbortSignal.timeout(answerMsMax)])
    const list = await readList(url, { ...source, onWait: () => {}, signal: near })
    return new Set(list.models.flatMap(({ files }) => files.map(({ sha256 }) => sha256)))
  } catch (error) {
    signal.throwIfAborted()
    const isSilent = error instanceof DOMException && error.name === 'TimeoutError'
    if (!isSilent && !(error instanceof WeightsError)) throw error
    const why = isSilent ? `node ${new URL(url).host} does not answer` : error.message
    onNote(`${why}; going on without it`)
    return new Set()
  }
}
