/**
 * Turns for clients who wait at the same time, so that one who sends a thousand requests at once
 * does not make the others wait for all of them.
 *
 * Start-time fair queueing: a request's turn begins when it arrives, or when its client's share
 * of what is served has paid for the client's earlier ones. Who asks for less than a share is
 * served in the order of arrival; who asks for more stands behind itself, not before others.
 */

/** Prompts of this length cost one turn. */
const turnTokens = 1_000
/** A service interval that is measured counts for a tenth. */
const intervalWeight = 0.1
/** Clients who have not waited for so long start anew. */
const forgetMs = 60_000
const clientsMax = 10_000

export class FairTurns {
  readonly #turnAtMs = new Map<string, number>()
  readonly #waiting = new Map<string, number>()
  #intervalMs = 0
  #servedAtMs = Number.NEGATIVE_INFINITY

  /** When the turn of a request comes that arrives now. */
  arrive(client: string, promptTokens: number, nowMs: number): number {
    const turnMs = Math.max(nowMs, this.#turnAtMs.get(client) ?? 0)
    this.#waiting.set(client, (this.#waiting.get(client) ?? 0) + 1)
    if (this.#turnAtMs.size >= clientsMax) this.#forget(nowMs)
    // The last of a client's requests is put behind the others by what the earlier ones take.
    const costMs = this.#intervalMs * (promptTokens / turnTokens) * this.#waiting.size
    this.#turnAtMs.set(client, turnMs + costMs)
    return turnMs
  }

  /** A request does not wait any more. */
  leave(client: string): void {
    const waiting = (this.#waiting.get(client) ?? 1) - 1
    if (waiting > 0) this.#waiting.set(client, waiting)
    else this.#waiting.delete(client)
  }

  /** A request was sent while others waited: that is how fast turns come. */
  served(promptTokens: number, nowMs: number): void {
    const intervalMs = Math.min(1_000, nowMs - this.#servedAtMs)
    this.#servedAtMs = nowMs
    const perTurn = (intervalMs * turnTokens) / Math.max(turnTokens / 10, promptTokens)
    this.#intervalMs += intervalWeight * (perTurn - this.#intervalMs)
  }

  #forget(nowMs: number): void {
    for (const [client, turnMs] of this.#turnAtMs) {
      if (turnMs < nowMs - forgetMs || !this.#waiting.has(client)) this.#turnAtMs.delete(client)
    }
  }
}
