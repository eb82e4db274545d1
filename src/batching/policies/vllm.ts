import type { Batch } from '#batching/batch.ts'
import type { KvBlocks } from '#batching/kv-blocks.ts'
import type { SchedulingPolicy } from '#batching/policies/policy.ts'
import { PrefixCache } from '#batching/prefix-cache.ts'
import type { Sequence } from '#batching/sequence.ts'

export interface VllmOptions {
  /** The token budget of a step: max_num_batched_tokens. */
  readonly batchTokens: number
  /**
   * Whether a request is only admitted when all of its prompt has room, and not just the first
   * chunk: scheduler_reserve_full_isl, on by default, which keeps a full cache from thrashing.
   */
  readonly wholePromptMustFit: boolean
}

/**
 * As vLLM's V1 scheduler does it. Running sequences come first: each that decodes takes one token
 * of the budget, and a prompt that is half read takes what it can. Then those that wait come in, in
 * order, while budget, seats and blocks last. A sequence that needs a block when there is none
 * costs the newest its place, which is computed anew from its prompt and what it has written; in
 * such a step nobody is admitted.
 */
export class VllmPolicy implements SchedulingPolicy {
  readonly waitsForFinish: boolean
  readonly #options: VllmOptions
  readonly #cache: PrefixCache

  constructor(kv: KvBlocks, options: VllmOptions) {
    this.#options = options
    // Where the first chunk decides, what is evicted from the cache may let somebody in: less of
    // its prompt is known then, so that its first chunk ends sooner.
    this.waitsForFinish = options.wholePromptMustFit
    this.#cache = new PrefixCache(kv)
  }

  plan(batch: Batch): void {
    const { kv } = batch
    const preemptionsBefore = batch.preemptionsTotal
    while (batch.blocksNeeded() > kv.available) batch.preempt(batch.running.at(-1)!, 'in front')
    if (batch.decoding > 0) batch.planDecodes()
    let budget = this.#options.batchTokens - batch.decoding
    for (let at = 0; at < batch.prefilling.length && budget > 0; at += 1) {
      const sequence = batch.prefilling[at]!
      const tokens = Math.min(budget, sequence.target - sequence.computed)
      // It is the newest of all, so the place that its need costs is its own.
      if (batch.blocksMissing(sequence, tokens) > kv.available) {
        batch.preempt(sequence, 'in front')
        break
      }
      this.#plan(batch, sequence, tokens)
      budget -= tokens
    }
    if (batch.preemptionsTotal === preemptionsBefore) this.#admit(batch, budget)
  }

  release(sequence: Sequence, blocks: number, computedTokens: number): void {
    this.#cache.offer(sequence, computedTokens)
    this.#cache.release(sequence, blocks)
  }

  #admit(batch: Batch, budget: number): void {
    const { kv, seats, waiting } = batch
    let left = budget
    while (left > 0 && batch.running.length < seats) {
      const sequence = waiting.first
      if (sequence === undefined) return
      const units = this.#cache.match(sequence)
      const hitTokens = units === 0 ? 0 : this.#cache.hitTokens(sequence, units)
      const tokens = Math.min(left, sequence.target - hitTokens)
      const idle = units === 0 ? 0 : this.#cache.idleBlocks(sequence, units)
      const untilToken = this.#options.wholePromptMustFit ? sequence.target : hitTokens + tokens
      const missing = kv.blocksFor(untilToken) - kv.blocksFor(hitTokens)
      if (idle + missing > kv.available) return
      if (units > 0) this.#cache.use(sequence, units)
      batch.admit(sequence, hitTokens, sequence.unitBlocks)
      this.#plan(batch, sequence, tokens)
      left -= tokens
    }
  }

  #plan(batch: Batch, sequence: Sequence, tokens: number): void {
    batch.planChunk(sequence, tokens)
    // The engine knows a block from when it is scheduled: one that comes later in the same step
    // already shares it.
    this.#cache.offer(sequence, sequence.computed + tokens)
  }
}
