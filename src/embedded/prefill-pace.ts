/**
 * How many prompt tokens to read in one step. A step cannot be interrupted, so it is kept short
 * enough for a client that leaves, and long enough to use the hardware.
 */
export class PrefillPace {
  readonly #maxTokens: number
  #chunkTokens: number

  constructor(maxTokens: number) {
    this.#maxTokens = Math.max(minChunkTokens, maxTokens)
    this.#chunkTokens = Math.min(firstChunkTokens, this.#maxTokens)
  }

  get chunkTokens(): number {
    return this.#chunkTokens
  }

  /** Learns from a step that was just taken. */
  record(tokens: number, elapsedMs: number): void {
    if (tokens < minChunkTokens) return
    const fitting = Math.round((tokens / Math.max(elapsedMs, 1)) * stepMs)
    // One slow step, when the machine is busy elsewhere, must not shrink the next one to nothing.
    const next = Math.max(this.#chunkTokens / 2, Math.min(this.#chunkTokens * 2, fitting))
    this.#chunkTokens = Math.round(Math.max(minChunkTokens, Math.min(next, this.#maxTokens)))
  }
}

/** A client that leaves is noticed within this time; much shorter wastes the batch. */
const stepMs = 150
const minChunkTokens = 16
const firstChunkTokens = 64
