/** One known block of a prefix, as long as it is in the cache. */
export interface CachedUnit {
  readonly hash: number
  /** How many blocks of the KV cache it takes. */
  readonly blocks: number
  users: number
  older: CachedUnit | null
  newer: CachedUnit | null
}
