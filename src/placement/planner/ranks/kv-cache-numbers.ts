import type { KvCacheType } from '#core/engine-memory.ts'
import type { Rank } from '#placement/planner/ranks/rank.ts'

/**
 * What answers lose by. Eight bits are hard to tell from sixteen; with four, long conversations go
 * wrong now and then, which is worth as much as an answer that is slower by several seconds.
 */
const seconds: Readonly<Record<KvCacheType, number>> = { f16: 0, fp8: 0.5, q8_0: 0.5, q4_0: 8 }

export const kvCacheNumbers: Rank = {
  name: 'kv-cache',
  seconds: ({ fit }) => seconds[fit.setting.kvCacheType],
}
