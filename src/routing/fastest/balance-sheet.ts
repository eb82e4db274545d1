/**
 * How many answers a stall would cost.
 *
 * Each stream earns its TPOT target with every token and pays for time as it passes. What it has
 * left is its balance; it ends well if that is not negative when it ends. A prompt that is
 * computed beside it delays all streams of the endpoint alike: one whose balance is smaller than
 * the stall is in debt until it has earned the difference, and ends badly if it ends before.
 *
 *   chance to end badly ≈ tokens until it is out of debt / tokens it still expects to write
 *
 * Young streams have next to nothing, but much to write; old ones have saved up.
 */
import type { Stream } from '#routing/fastest/stream.ts'

export class BalanceSheet {
  #balances = new Float64Array(16)
  #weights = new Float64Array(16)
  /** Streams by rising balance. */
  readonly #order: number[] = []
  // Sums over the streams up to each rank, so that a loss is two look-ups and no loop.
  #weightSums = new Float64Array(17)
  #owedSums = new Float64Array(17)
  #atMs = Number.NEGATIVE_INFINITY
  #version = -1

  /** Takes stock of the decoding streams, unless nothing happened since it did. */
  update(decoding: readonly Stream[], stepMs: number, version: number, nowMs: number): void {
    if (this.#version === version && nowMs === this.#atMs) return
    this.#version = version
    this.#atMs = nowMs
    if (this.#balances.length < decoding.length) this.#grow(decoding.length * 2)
    const balances = this.#balances
    const order = this.#order
    order.length = 0
    for (const { request, tokens, firstAtMs, expectedTokens } of decoding) {
      const { tpotMs } = request.targets
      if (tpotMs === null || firstAtMs === null) continue
      const at = order.length
      const gainMs = tpotMs - stepMs
      balances[at] = tpotMs * (tokens - 1) - (nowMs - firstAtMs)
      // One that cannot earn is lost whatever comes: it has no say.
      this.#weights[at] = gainMs <= 0 ? 0 : 1 / (gainMs * expectedTokens)
      order.push(at)
    }
    order.sort((left, right) => (balances[left] as number) - (balances[right] as number))
    let weight = 0
    let owed = 0
    for (let rank = 0; rank < order.length; rank++) {
      const at = order[rank] as number
      weight += this.#weights[at] as number
      owed += (this.#weights[at] as number) * (balances[at] as number)
      this.#weightSums[rank + 1] = weight
      this.#owedSums[rank + 1] = owed
    }
  }

  /** Answers that are expected to end badly after a stall of so long. */
  loss(stallMs: number): number {
    let low = 0
    let high = this.#order.length
    while (low < high) {
      const middle = (low + high) >> 1
      const balance = this.#balances[this.#order[middle] as number] as number
      if (balance < stallMs) low = middle + 1
      else high = middle
    }
    const loss = stallMs * (this.#weightSums[low] as number) - (this.#owedSums[low] as number)
    return Math.min(low, loss)
  }

  #grow(size: number): void {
    this.#balances = new Float64Array(size)
    this.#weights = new Float64Array(size)
    this.#weightSums = new Float64Array(size + 1)
    this.#owedSums = new Float64Array(size + 1)
  }
}
