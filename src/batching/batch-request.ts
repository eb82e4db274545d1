/** A request as an engine's scheduler sees it: sizes, and which blocks of its prompt are known. */
export interface BatchRequest {
  /** Chosen by the caller; unique among the requests that are not over. */
  readonly id: number
  readonly promptTokens: number
  /** How many it will really write. Only the engine knows, and only by writing them. */
  readonly outputTokens: number
  /** The most it may write, which a careful engine keeps room for. Left out: as many as fit. */
  readonly maxOutputTokens?: number
  readonly prefix?: PrefixBlocks
}

/**
 * What the leading tokens are, block by block. Two requests whose first n hashes are equal share
 * the first n blocks. The last block may be partial. Hashes beyond the prompt stand for what is
 * written, where that is known: the next turn of a conversation begins with it.
 */
export interface PrefixBlocks {
  readonly hashes: ArrayLike<number>
  /** Tokens in each block; a multiple of the engine's own block. */
  readonly blockTokens: number
  /** Tokens that the hashes are of, all together; left out: of the prompt and no more. */
  readonly tokens?: number
}
