import type { Batch } from '#batching/batch.ts'
import type { KvBlocks } from '#batching/kv-blocks.ts'
import type { SchedulingPolicy } from '#batching/policies/policy.ts'
import type { Sequence } from '#batching/sequence.ts'

export interface LlamaServerOptions {
  /** n_batch: the most tokens in one step. */
  readonly batchTokens: number
  /**
   * What becomes of sequences when a cache that all slots share runs out. `fail`, as the server
   * does: every running one ends with an error. `recompute`: prompts only start when all of them
   * has room, and the newest gives way.
   */
  readonly whenFull: 'fail' | 'recompute'
}

/** What a slot keeps of its last sequence. */
interface Slot {
  sequence: Sequence | null
  hashes: ArrayLike<number> | null
  unitTokens: number
  cachedTokens: number
  lastUsed: number
}

/** A slot is chosen for what it has when that is more than this share of the prompt. */
const leastSimilarity = 0.1

/**
 * As llama-server does it. Its slots are hard seats: whoever comes when all are taken waits for one
 * in order. A slot keeps the context of its last sequence, and a new prompt goes to the slot that
 * has most of its beginning, or else to the one idle for longest. A step takes one token of each
 * slot that decodes, then prompts in the order of slots until the batch is full.
 */
export class LlamaServerPolicy implements SchedulingPolicy {
  readonly waitsForFinish = true
  readonly #kv: KvBlocks
  readonly #options: LlamaServerOptions
  readonly #slots: readonly Slot[]
  #uses = 0

  constructor(kv: KvBlocks, seats: number, options: LlamaServerOptions) {
    this.#kv = kv
    this.#options = options
    this.#slots = Array.from({ length: seats }, () => ({
      sequence: null,
      hashes: null,
      unitTokens: 0,
      cachedTokens: 0,
      lastUsed: 0,
    }))
    kv.evictor = (blocks) => this.#clearIdle(blocks)
  }

  plan(batch: Batch): void {
    this.#assign(batch)
    const { kv } = batch
    while (batch.blocksNeeded() > kv.available) this.#runOut(batch)
    if (batch.decoding > 0) batch.planDecodes()
    let budget = this.#options.batchTokens - batch.decoding
    const inOrder = [...batch.prefilling].sort((a, b) => a.slot - b.slot)
    for (const sequence of inOrder) {
      if (budget <= 0) break
      if (!isReading(sequence)) continue
      const tokens = Math.min(budget, sequence.target - sequence.computed)
      while (isReading(sequence) && batch.blocksMissing(sequence, tokens) > kv.available) {
        this.#runOut(batch)
      }
      if (!isReading(sequence)) continue
      batch.planChunk(sequence, tokens)
      budget -= tokens
    }
  }

  release(sequence: Sequence, blocks: number, computedTokens: number): void {
    const slot = this.#slots[sequence.slot]!
    slot.sequence = null
    const { prefix } = sequence
    // Blocks of a step that was not finished hold nothing that could be used again.
    slot.cachedTokens = prefix === null ? 0 : Math.min(blocks, computedTokens)
    slot.hashes = prefix?.hashes ?? null
    slot.unitTokens = prefix?.blockTokens ?? 0
    this.#kv.give(blocks - slot.cachedTokens)
    this.#kv.keep(slot.cachedTokens)
  }

  #assign(batch: Batch): void {
    const { kv, waiting } = batch
    // Prompts that are half read have no blocks yet for the rest.
    let unread = 0
    for (const one of batch.prefilling) unread += one.target - one.computed
    while (batch.running.length < batch.seats) {
      const sequence = waiting.first
      if (sequence === undefined) return
      const slot = this.#choose(sequence)
      const hit = commonTokens(slot, sequence)
      const needed = unread + sequence.target
      if (this.#options.whenFull === 'recompute' && needed > kv.available) return
      unread += sequence.target - hit
      kv.drop(slot.cachedTokens - hit)
      kv.reuse(hit)
      slot.sequence = sequence
      slot.cachedTokens = 0
      this.#uses += 1
      slot.lastUsed = this.#uses
      sequence.slot = this.#slots.indexOf(slot)
      batch.admit(sequence, hit, hit)
    }
  }

  #choose(sequence: Sequence): Slot {
    let best: Slot | null = null
    let most = leastSimilarity * sequence.target
    let idleLongest: Slot | null = null
    for (const slot of this.#slots) {
      if (slot.sequence !== null) continue
      if (idleLongest === null || slot.lastUsed < idleLongest.lastUsed) idleLongest = slot
      const common = commonTokens(slot, sequence)
      if (common <= most) continue
      most = common
      best = slot
    }
    return best ?? idleLongest!
  }

  #runOut(batch: Batch): void {
    if (this.#options.whenFull === 'recompute') batch.preempt(batch.running.at(-1)!, 'in front')
    else while (batch.running.length > 0) batch.fail(batch.running.at(-1)!)
  }

  /** What idle slots keep goes first, whole, from the one used longest ago. */
  #clearIdle(blocks: number): number {
    let cleared = 0
    while (cleared < blocks) {
      let oldest: Slot | null = null
      for (const slot of this.#slots) {
        if (slot.cachedTokens === 0) continue
        if (oldest === null || slot.lastUsed < oldest.lastUsed) oldest = slot
      }
      if (oldest === null) return cleared
      cleared += oldest.cachedTokens
      oldest.cachedTokens = 0
      oldest.hashes = null
    }
    return cleared
  }
}

const isReading = (sequence: Sequence) => sequence.state === 'prefilling'

/** The leading tokens that a slot has of a sequence; at least one is always computed. */
function commonTokens(slot: Slot, sequence: Sequence): number {
  const { prefix } = sequence
  const { hashes } = slot
  if (hashes === null || prefix === null || prefix.blockTokens !== slot.unitTokens) return 0
  const shorter = Math.min(hashes.length, prefix.hashes.length)
  let units = 0
  while (units < shorter && hashes[units] === prefix.hashes[units]) units += 1
  return Math.min(units * slot.unitTokens, slot.cachedTokens, sequence.target - 1)
}
