import type { Batch } from '#batching/batch.ts'
import type { KvBlocks } from '#batching/kv-blocks.ts'
import type { SchedulingPolicy } from '#batching/policies/policy.ts'
import { PrefixCache } from '#batching/prefix-cache.ts'
import type { Sequence } from '#batching/sequence.ts'

export interface SglangOptions {
  /** The most prompt tokens in one step: chunked_prefill_size. */
  readonly batchTokens: number
  /** Whether sequences decode in the steps that read prompts: enable_mixed_chunk, off by default. */
  readonly mixesDecodes: boolean
  /** How much room it keeps for what running sequences may still write: 1 by default. */
  readonly conservativeness: number
}

/** The most new tokens that admission counts with for one request, whatever it may write. */
const newTokensCounted = 4096
/** Of what running sequences may still write, the share that is kept free: at first, … */
const firstRatio = 0.7
/** … and after so many steps that only decode. */
const leastRatioShare = 0.14
const ratioDecaySteps = 600
/** After a retraction there is room for so many more steps of all sequences. */
const stepsKeptAfterRetraction = 20

/**
 * As SGLang's scheduler does it. Prompts come before decodes: as long as somebody can be admitted,
 * steps only read prompts and the running sequences stand still, unless it mixes. Admission keeps
 * room for a share of what all may still write; the share shrinks while all goes well, and when
 * memory runs out after all, sequences are retracted, those that have written least first.
 */
export class SglangPolicy implements SchedulingPolicy {
  readonly waitsForFinish = false
  readonly #options: SglangOptions
  readonly #cache: PrefixCache
  readonly #leastRatio: number
  readonly #decay: number
  #ratio: number

  constructor(kv: KvBlocks, options: SglangOptions) {
    this.#options = options
    this.#cache = new PrefixCache(kv)
    const first = Math.min(1, firstRatio * options.conservativeness)
    this.#ratio = first
    this.#leastRatio = first * leastRatioShare
    this.#decay = (first - this.#leastRatio) / ratioDecaySteps
  }

  plan(batch: Batch): void {
    const { mixesDecodes } = this.#options
    if (mixesDecodes) this.#makeRoom(batch)
    const decodes = mixesDecodes && batch.decoding > 0
    if (decodes) batch.planDecodes()
    this.#planPrompts(batch, this.#options.batchTokens - (decodes ? batch.decoding : 0))
    if (decodes || batch.chunkSequences.length > 0) return
    if (batch.decoding === 0) return
    this.#makeRoom(batch)
    this.#ratio = Math.max(this.#leastRatio, this.#ratio - this.#decay)
    batch.planDecodes()
  }

  release(sequence: Sequence, blocks: number, computedTokens: number): void {
    this.#cache.offer(sequence, computedTokens)
    this.#cache.release(sequence, blocks)
  }

  /** What a sequence may still write, as far as admission counts with it. */
  #mayWrite(batch: Batch, sequence: Sequence): number {
    return Math.min(newTokensCounted, sequence.maxOutputTokens - sequence.emittedAt(batch.tick))
  }

  #planPrompts(batch: Batch, budget: number): void {
    const { kv, seats, waiting } = batch
    const { blockTokens } = kv
    let left = budget
    for (let at = 0; at < batch.prefilling.length && left > 0; at += 1) {
      const sequence = batch.prefilling[at]!
      const tokens = Math.min(left, sequence.target - sequence.computed)
      if (batch.blocksMissing(sequence, tokens) > kv.available) return
      this.#plan(batch, sequence, tokens)
      left -= tokens
    }
    // A prompt that is half read is read to its end before the next one begins.
    if (left <= 0 || waiting.length === 0 || isHalfPlanned(batch)) return
    let roomTokens = kv.available * blockTokens
    for (const one of batch.running) roomTokens -= this.#ratio * this.#mayWrite(batch, one)
    while (left > 0 && batch.running.length < seats) {
      const sequence = waiting.first
      if (sequence === undefined) return
      const units = this.#cache.match(sequence)
      const hitTokens = units === 0 ? 0 : this.#cache.hitTokens(sequence, units)
      const idle = units === 0 ? 0 : this.#cache.idleBlocks(sequence, units)
      const extend = sequence.target - hitTokens
      const wanted = extend + idle * blockTokens + this.#mayWrite(batch, sequence)
      // Alone it is let in: what it may write is a guess, and it fits if it writes less.
      const alone = batch.running.length === 0
      if (!alone && wanted >= roomTokens) return
      const tokens = Math.min(left, extend)
      if (idle + kv.blocksFor(sequence.target) - kv.blocksFor(hitTokens) > kv.available) return
      if (units > 0) this.#cache.use(sequence, units)
      batch.admit(sequence, hitTokens, sequence.unitBlocks)
      this.#plan(batch, sequence, tokens)
      left -= tokens
      roomTokens -= wanted
      if (tokens < extend) return
    }
  }

  #plan(batch: Batch, sequence: Sequence, tokens: number): void {
    batch.planChunk(sequence, tokens)
    this.#cache.offer(sequence, sequence.computed + tokens)
  }

  /** Retracts sequences until the others have room for one token each. */
  #makeRoom(batch: Batch): void {
    let retracted = false
    while (batch.blocksNeeded() > batch.kv.available && batch.running.length > 1) {
      batch.preempt(this.#leastWritten(batch), 'at the end')
      retracted = true
    }
    if (!retracted) return
    let written = 0
    let mayWrite = 0
    for (const one of batch.running) {
      written += one.emittedAt(batch.tick)
      mayWrite += one.maxOutputTokens
    }
    const kept = written + stepsKeptAfterRetraction * batch.running.length
    this.#ratio = Math.max(this.#leastRatio, Math.min(1, kept / Math.max(1, mayWrite)))
  }

  #leastWritten(batch: Batch): Sequence {
    let worst = batch.running[0]!
    for (const one of batch.running) {
      const fewer = one.emittedAt(batch.tick) - worst.emittedAt(batch.tick)
      if (fewer < 0 || (fewer === 0 && one.promptTokens >= worst.promptTokens)) worst = one
    }
    return worst
  }
}

function isHalfPlanned(batch: Batch): boolean {
  const last = batch.chunkSequences.at(-1)
  if (last === undefined) return false
  return last.computed + batch.chunkTokens.at(-1)! < last.target
}
