/**
 * How many requests, and tokens of KV cache, an endpoint has room for at a time, where nobody says.
 *
 * An engine without room for a prompt lets it wait until an answer ends, and nothing else in an
 * engine takes that long: a first token that comes far later than its prompt explains tells that
 * what was there already was all there is room for. The room shrinks to that at once, and grows
 * slowly as prompts find that there is more.
 */

/** So many times as long as predicted, and longer by this: predictions err by less. */
const waitedRatio = 3
const waitedMsMin = 500
/** One first token that was late for another reason takes no more away than this. */
const shrinkRatioMin = 0.8
/** Each prompt that finds room where it was thought to end gives so much more. */
const growRatio = 1.002
/** A room this full is one whose end was tried. */
const fullRatio = 0.9

class Room {
  size = Number.POSITIVE_INFINITY
  /** The most there was when a prompt did not have to wait. */
  #proven = 0

  /** Whether so much was never seen to fit. */
  isNew(taken: number): boolean {
    return taken >= this.#proven
  }

  found(taken: number): void {
    this.#proven = Math.max(this.#proven, taken)
    if (taken >= fullRatio * this.size) this.size *= growRatio
  }

  full(taken: number): void {
    const least = shrinkRatioMin * Math.min(this.size, this.#proven)
    this.size = Math.min(this.size, Math.max(taken, least))
    // What was true once may not be any more.
    this.#proven = Math.min(this.#proven, this.size)
  }
}

export class LearntRoom {
  readonly #seats = new Room()
  readonly #tokens = new Room()

  /** Requests at a time. */
  get seats(): number {
    return Math.max(1, this.#seats.size)
  }

  get kvTokens(): number {
    return this.#tokens.size
  }

  /** The first token of a prompt came, beside so many others that were there when it was sent. */
  learn(beside: {
    readonly requests: number
    readonly tokens: number
    readonly promptTokens: number
    readonly tookMs: number
    readonly predictedMs: number
  }): void {
    const { requests, tokens, promptTokens, tookMs, predictedMs } = beside
    if (requests === 0) return
    const seats = this.#seats
    const kv = this.#tokens
    const waited = tookMs > waitedRatio * predictedMs && tookMs - predictedMs > waitedMsMin
    if (!waited) {
      seats.found(requests + 1)
      kv.found(tokens + promptTokens)
      return
    }
    // Seats explain it where so many were never served at a time. What had room once is not what
    // it waited for, unless nothing else explains it.
    const isSeats = seats.isNew(requests)
    const isTokens = kv.isNew(tokens)
    if (isSeats || !isTokens) seats.full(requests)
    if (!isSeats) kv.full(tokens)
  }
}
