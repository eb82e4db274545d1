import type { PrefixBlocks } from '#batching/batch-request.ts'
import type { CachedUnit } from '#batching/cached-unit.ts'
import type { KvBlocks } from '#batching/kv-blocks.ts'
import type { Sequence } from '#batching/sequence.ts'

/**
 * Which prefixes are in the KV cache, by the hash of each block. What sequences use is shared
 * between them; what nobody uses stays until its room is needed, the least recently used first and
 * of one prompt the end first, since a beginning is of use without its end and not the other way.
 */
export class PrefixCache {
  readonly #kv: KvBlocks
  readonly #units = new Map<number, CachedUnit>()
  // The unused ones in a list, from the one to evict first to the one to keep longest.
  #oldest: CachedUnit | null = null
  #newest: CachedUnit | null = null

  constructor(kv: KvBlocks) {
    this.#kv = kv
    kv.evictor = (blocks) => this.#evict(blocks)
  }

  /** How many blocks of a prefix are known here. */
  get size(): number {
    return this.#units.size
  }

  /** How many leading units of a sequence are in the cache. */
  match(sequence: Sequence): number {
    const { prefix } = sequence
    if (prefix === null) return 0
    const { hashes, blockTokens } = prefix
    let count = 0
    for (; count < hashes.length; count += 1) {
      // Hashes may go beyond what there is to compute: that part is still to be written.
      const tokens = unitTokens(prefix, count)
      if (count * blockTokens + tokens > sequence.target) return count
      const unit = this.#units.get(hashes[count]!)
      if (unit?.blocks !== Math.floor(tokens / this.#kv.blockTokens)) return count
    }
    return count
  }

  /** Blocks among the first `count` units that nobody uses now: taking them takes room. */
  idleBlocks(sequence: Sequence, count: number): number {
    let blocks = 0
    for (let at = 0; at < count; at += 1) {
      const unit = this.#units.get(sequence.prefix!.hashes[at]!)!
      if (unit.users === 0) blocks += unit.blocks
    }
    return blocks
  }

  /** Tokens that the first `count` units spare a sequence: at least one is always computed. */
  hitTokens(sequence: Sequence, count: number): number {
    let blocks = 0
    for (let at = 0; at < count; at += 1) {
      blocks += this.#units.get(sequence.prefix!.hashes[at]!)!.blocks
    }
    const { blockTokens } = this.#kv
    const wholeBlocksBeforeLast = Math.floor((sequence.target - 1) / blockTokens)
    return Math.min(blocks, wholeBlocksBeforeLast) * blockTokens
  }

  /** The sequence uses the first `count` units from now on. */
  use(sequence: Sequence, count: number): void {
    for (let at = 0; at < count; at += 1) {
      const unit = this.#units.get(sequence.prefix!.hashes[at]!)!
      if (unit.users === 0) {
        this.#unlink(unit)
        this.#kv.reuse(unit.blocks)
      }
      unit.users += 1
      sequence.units.push(unit)
      sequence.unitBlocks += unit.blocks
    }
    sequence.nextUnit = count
  }

  /** Tells of units that the sequence has computed by now, so that others find them. */
  offer(sequence: Sequence, computedTokens: number): void {
    const { prefix } = sequence
    if (prefix === null) return
    const { hashes, blockTokens } = prefix
    while (sequence.nextUnit < hashes.length) {
      const at = sequence.nextUnit
      const tokens = unitTokens(prefix, at)
      if (at * blockTokens + tokens > computedTokens) return
      sequence.nextUnit += 1
      const blocks = Math.floor(tokens / this.#kv.blockTokens)
      const hash = hashes[at]!
      // A unit that another computed meanwhile stays the other's; the copy here is private.
      if (blocks === 0 || this.#units.has(hash)) continue
      const unit: CachedUnit = { hash, blocks, users: 1, older: null, newer: null }
      this.#units.set(hash, unit)
      sequence.units.push(unit)
      sequence.unitBlocks += blocks
    }
  }

  /** The sequence leaves, and with it what only it held. `blocks` is all it holds. */
  release(sequence: Sequence, blocks: number): void {
    const { units } = sequence
    this.#kv.give(blocks - sequence.unitBlocks)
    for (let at = units.length - 1; at >= 0; at -= 1) {
      const unit = units[at]!
      unit.users -= 1
      if (unit.users > 0) continue
      this.#kv.keep(unit.blocks)
      this.#link(unit)
    }
    units.length = 0
    sequence.unitBlocks = 0
    sequence.nextUnit = 0
  }

  #evict(blocks: number): number {
    let evicted = 0
    while (evicted < blocks && this.#oldest !== null) {
      const unit = this.#oldest
      this.#unlink(unit)
      this.#units.delete(unit.hash)
      evicted += unit.blocks
    }
    return evicted
  }

  #link(unit: CachedUnit): void {
    unit.older = this.#newest
    unit.newer = null
    if (this.#newest === null) this.#oldest = unit
    else this.#newest.newer = unit
    this.#newest = unit
  }

  #unlink(unit: CachedUnit): void {
    if (unit.older === null) this.#oldest = unit.newer
    else unit.older.newer = unit.newer
    if (unit.newer === null) this.#newest = unit.older
    else unit.newer.older = unit.older
    unit.older = null
    unit.newer = null
  }
}

/** Tokens in one unit: the last may be partial. */
function unitTokens(prefix: Required<PrefixBlocks>, at: number): number {
  return Math.min(prefix.blockTokens, prefix.tokens - at * prefix.blockTokens)
}
