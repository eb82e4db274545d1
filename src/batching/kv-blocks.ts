/** Gives up cached blocks that nobody uses, at least so many if it has them; says how many. */
export type Evict = (blocks: number) => number

/**
 * The blocks of a KV cache, counted. A block is used, cached or free:
 *
 *   |■■■■■■■■ used ■■■■■■■■|░░░░ cached ░░░░|····· free ·····|
 *                          └────────── available ──────────┘
 *
 * Cached ones hold what finished requests left, in case it is asked for again; they are given up
 * as soon as there is need. No more is ever promised than there is.
 */
export class KvBlocks {
  readonly total: number
  readonly blockTokens: number
  #evict: Evict = () => 0
  #used = 0
  #cached = 0

  constructor(tokens: number, blockTokens: number) {
    this.total = Math.floor(tokens / blockTokens)
    this.blockTokens = blockTokens
  }

  get used(): number {
    return this.#used
  }

  get cached(): number {
    return this.#cached
  }

  get available(): number {
    return this.total - this.#used
  }

  /** Who is asked for cached blocks when free ones run out. */
  set evictor(evict: Evict) {
    this.#evict = evict
  }

  /** How many blocks hold so many tokens. */
  blocksFor(tokens: number): number {
    return Math.ceil(tokens / this.blockTokens)
  }

  /** At most {@link available} of them. */
  take(blocks: number): void {
    if (blocks > this.available) {
      throw new RangeError(`${blocks} KV blocks are asked for, ${this.available} are available`)
    }
    this.#used += blocks
    const missing = this.#used + this.#cached - this.total
    if (missing > 0) this.#cached -= this.#evict(missing)
  }

  give(blocks: number): void {
    this.#used -= blocks
  }

  /** Used blocks whose last user leaves are kept, should they be asked for again. */
  keep(blocks: number): void {
    this.#used -= blocks
    this.#cached += blocks
  }

  /** Cached blocks are used again. */
  reuse(blocks: number): void {
    this.#used += blocks
    this.#cached -= blocks
  }

  /** Cached blocks hold nothing any more. */
  drop(blocks: number): void {
    this.#cached -= blocks
  }
}
