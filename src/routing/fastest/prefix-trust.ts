/**
 * Whether an endpoint finds the prefixes that were sent there before. An engine may run without a
 * prefix cache, or throw prefixes away as fast as they come; where it says of answer after answer
 * that nothing was cached of what should have been, it is believed.
 */

/** As many in a row are no accident of eviction. */
const missesToDoubt = 8

export class PrefixTrust {
  #misses = 0

  get holds(): boolean {
    return this.#misses < missesToDoubt
  }

  /** An answer of which so much was thought to be cached, `cachedTokens` as the engine counted. */
  learn(expectedTokens: number, cachedTokens: number): void {
    if (cachedTokens > 0) this.#misses = 0
    else if (expectedTokens > 0) this.#misses++
  }
}
