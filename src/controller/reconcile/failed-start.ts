/** When a start has come to nothing, and how long the same one is left alone. Pure. */
import type { PlacedReplicaClaim } from '#controller/cluster-state.ts'
import type { NodeId } from '#core/ids.ts'
import type { FailedStart } from '#placement/inventory.ts'
import type { ReplicaSpec, ReportedReplica } from '#protocol/agent-messages.ts'

/**
 * As long as an agent waits between tries of an engine in a crash loop: nothing that was mended
 * sooner would have been noticed there either.
 */
const firstPauseMs = 5 * 60_000

/** Whoever has mended a driver over lunch should not wait for the evening. */
const pauseMsMax = 60 * 60_000

/**
 * Each try costs others minutes, too: after the second, one a day is enough to find out that nobody has
 * mended it, and soon one a week. Whoever has says so with "motley retry".
 */
const evictingPauseMs = 24 * 60 * 60_000
const evictingPauseMsMax = 7 * evictingPauseMs

/**
 * `times`: how often it has failed before. Where others had to go for it the pause is the longest at
 * once.
 */
export function pauseMsAfter(times: number, hadEvicted: boolean): number {
  if (hadEvicted) {
    return times === 0
      ? pauseMsMax
      : Math.min(evictingPauseMsMax, evictingPauseMs * 2 ** (times - 1))
  }
  return Math.min(pauseMsMax, firstPauseMs * 2 ** times)
}

/**
 * Why a replica that was started will not come; null while it may. An agent goes on trying in these
 * states; placement has other candidates.
 */
export function failureOf({ state, detail }: ReportedReplica): string | null {
  if (state === 'failed') return detail ?? 'it failed to start'
  if (state === 'crash-looping') return detail ?? 'it ended again and again'
  return null
}

export function failedStartOf(
  node: NodeId,
  { source }: ReplicaSpec,
  { deployment, devices, engine, backend }: PlacedReplicaClaim,
  because: string,
): FailedStart {
  return { deployment, node, devices, engine, backend, source, because }
}
