/** Every rank there is. `company.ts` has those that depend on who else is there. */
import { answerTime } from '#placement/planner/ranks/answer-time.ts'
import { deviceClass } from '#placement/planner/ranks/device-class.ts'
import { engineOrder } from '#placement/planner/ranks/engine-order.ts'
import { fetchTime } from '#placement/planner/ranks/fetch-time.ts'
import { kvCacheNumbers } from '#placement/planner/ranks/kv-cache-numbers.ts'
import { notes } from '#placement/planner/ranks/notes.ts'
import { oversize } from '#placement/planner/ranks/oversize.ts'
import { preferredNodes } from '#placement/planner/ranks/preferred-nodes.ts'
import { quality } from '#placement/planner/ranks/quality.ts'
import type { NodeRank, Rank, RankQuestion } from '#placement/planner/ranks/rank.ts'
import { settings } from '#placement/planner/ranks/settings.ts'
import { shortContext } from '#placement/planner/ranks/short-context.ts'
import { variantOrder } from '#placement/planner/ranks/variant-order.ts'

export const ranks: readonly Rank[] = [
  answerTime,
  oversize,
  deviceClass,
  variantOrder,
  quality,
  shortContext,
  kvCacheNumbers,
  engineOrder,
  notes,
  settings,
]
export const nodeRanks: readonly NodeRank[] = [fetchTime, preferredNodes]

/** Of a place, what depends on which setting it is used in, beside the size of the setting. */
export function concededSeconds(question: RankQuestion): number {
  return answerTime.seconds(question) + kvCacheNumbers.seconds(question)
}
