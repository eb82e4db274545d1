/**
 * Which endpoint is likely to hold which prefixes in its KV cache: those that were sent there
 * last, as far as they fit. A guess from the outside; engines evict by rules of their own.
 *
 * A block's hash covers everything before it, and a request touches its blocks from the last to
 * the first. So a block is never older than one that follows it, the oldest block of an endpoint
 * is always the end of a prefix, and what an endpoint holds of a prompt has no holes:
 *
 *   prompt   ■ ■ ■ ■ ■ ■ ■        how long the held part is can be found by halving
 *   held     ■ ■ ■ ■ · · ·
 */
import type { EndpointId } from '#core/ids.ts'

export class PrefixIndex {
  /** Hashes by endpoint, the oldest first. */
  readonly #held = new Map<EndpointId, Set<number>>()
  readonly #holders = new Map<number, EndpointId[]>()

  /** How many blocks an endpoint is thought to hold. */
  size(endpoint: EndpointId): number {
    return this.#held.get(endpoint)?.size ?? 0
  }

  add(endpoint: EndpointId, blocks: readonly number[], blocksMax: number): void {
    let held = this.#held.get(endpoint)
    if (held === undefined) {
      held = new Set()
      this.#held.set(endpoint, held)
    }
    for (let index = blocks.length - 1; index >= 0; index--) {
      const block = blocks[index] as number
      if (!held.delete(block)) this.#addHolder(block, endpoint)
      held.add(block)
    }
    for (const oldest of held) {
      if (held.size <= blocksMax) break
      held.delete(oldest)
      this.#removeHolder(oldest, endpoint)
    }
  }

  /** Leading blocks of a prompt that one endpoint holds. */
  held(endpoint: EndpointId, blocks: readonly number[]): number {
    const held = this.#held.get(endpoint)
    if (held === undefined) return 0
    return leading(blocks, (block) => held.has(block))
  }

  /** Whether anybody holds the beginning of a prompt: mostly nobody does, and this is one look. */
  isHeld(blocks: readonly number[]): boolean {
    const first = blocks[0]
    return first !== undefined && this.#holders.has(first)
  }

  /** The endpoints that hold the most of a prompt, those with more first; no more than `most`. */
  holders(blocks: readonly number[], most: number): EndpointId[] {
    const found: EndpointId[] = []
    let depth = leading(blocks, (block) => this.#holders.has(block))
    while (depth > 0 && found.length < most) {
      for (const endpoint of this.#holders.get(blocks[depth - 1] as number) ?? []) {
        if (found.length >= most) break
        if (!found.includes(endpoint)) found.push(endpoint)
      }
      depth >>= 1
    }
    return found
  }

  forget(endpoint: EndpointId): void {
    const held = this.#held.get(endpoint)
    if (held === undefined) return
    this.#held.delete(endpoint)
    for (const block of held) this.#removeHolder(block, endpoint)
  }

  #addHolder(block: number, endpoint: EndpointId): void {
    const holders = this.#holders.get(block)
    if (holders === undefined) this.#holders.set(block, [endpoint])
    else holders.push(endpoint)
  }

  #removeHolder(block: number, endpoint: EndpointId): void {
    const holders = this.#holders.get(block)
    if (holders === undefined) return
    const at = holders.indexOf(endpoint)
    if (at === -1) return
    const last = holders.pop() as EndpointId
    if (at < holders.length) holders[at] = last
    if (holders.length === 0) this.#holders.delete(block)
  }
}

/** How many leading blocks pass, when none passes after one that did not. */
function leading(blocks: readonly number[], passes: (block: number) => boolean): number {
  let low = 0
  let high = blocks.length
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (passes(blocks[middle - 1] as number)) low = middle
    else high = middle - 1
  }
  return low
}
