import type { KvBlocks } from '#batching/kv-blocks.ts'
import type { Sequence } from '#batching/sequence.ts'
import { WaitingQueue } from '#batching/waiting-queue.ts'
import { MinHeap } from '#std/min-heap.ts'

/** Where a sequence's blocks go when it leaves the batch. */
export interface BlockKeeper {
  /** `blocks` is all that the sequence holds, and they hold `computedTokens` of it. */
  release(sequence: Sequence, blocks: number, computedTokens: number): void
}

/**
 * What is in the engine: who waits, who runs, and what the next step consists of.
 *
 * Every decoding sequence gets one token in each step that decodes at all. So nothing is counted
 * one by one: a tick counts those steps, and sums say how much context all of them have, at which
 * tick the next one is done and how many blocks each tick will need. A step costs the same however
 * many sequences are in it, and many equal steps cost no more than one.
 */
export class Batch {
  readonly kv: KvBlocks
  readonly seats: number
  readonly waiting = new WaitingQueue()
  /** In the order in which they were admitted: the last is the newest. */
  readonly running: Sequence[] = []
  /** Those of them whose prompt is not read yet, in the same order. */
  readonly prefilling: Sequence[] = []
  readonly keeper: BlockKeeper
  /** Steps so far in which the decoding sequences got a token. */
  tick = 0
  decoding = 0
  /** Tokens that the decoding sequences have in the cache, all together. */
  decodingContextTokens = 0

  /** The step that is planned or under way. */
  readonly chunkSequences: Sequence[] = []
  readonly chunkTokens: number[] = []
  stepDecodes = false
  prefillTokens = 0
  prefillTokenPairs = 0

  /** Sequences put back since this was last emptied. */
  readonly preempted: Sequence[] = []
  /** Sequences that the engine gave up, for want of memory, since this was last emptied. */
  readonly failed: Sequence[] = []
  preemptionsTotal = 0
  promptTokensTotal = 0
  outputTokensTotal = 0
  queriedTokensTotal = 0
  hitTokensTotal = 0

  /** Of the decoding sequences, how many need a new block at ticks of each residue. */
  readonly #blockNeeds: Int32Array
  readonly #finishes = new MinHeap<Sequence>()

  constructor(kv: KvBlocks, seats: number, keeper: BlockKeeper) {
    this.kv = kv
    this.seats = seats
    this.keeper = keeper
    this.#blockNeeds = new Int32Array(kv.blockTokens)
  }

  /** Blocks that the decoding sequences need for one step, `ahead` steps from the tick. */
  blocksNeeded(ahead = 0): number {
    return this.#blockNeeds[(this.tick + ahead) % this.kv.blockTokens]!
  }

  /** Blocks that they need for so many steps from the tick on. */
  blocksNeededFor(steps: number): number {
    const { blockTokens } = this.kv
    let blocks = Math.floor(steps / blockTokens) * this.decoding
    for (let ahead = steps % blockTokens; ahead > 0; ahead -= 1) {
      blocks += this.blocksNeeded(ahead - 1)
    }
    return blocks
  }

  /** How many steps there are until a decoding sequence writes its last token. */
  stepsUntilFinish(): number {
    this.#dropStaleFinishes()
    return this.#finishes.minKey - this.tick
  }

  /** The blocks a running sequence holds, with those taken for the step under way. */
  blocksOf(sequence: Sequence): number {
    if (sequence.state !== 'decoding') return sequence.blocks
    return this.kv.blocksFor(sequence.computedAt(this.tick) + (this.stepDecodes ? 1 : 0))
  }

  /** The decoding sequences are in this step; their blocks must be available. */
  planDecodes(): void {
    this.stepDecodes = true
    this.kv.take(this.blocksNeeded())
  }

  /** So many tokens of the prompt are read in this step; their blocks must be available. */
  planChunk(sequence: Sequence, tokens: number): void {
    this.kv.take(this.blocksMissing(sequence, tokens))
    sequence.blocks = Math.max(sequence.blocks, this.kv.blocksFor(sequence.computed + tokens))
    this.chunkSequences.push(sequence)
    this.chunkTokens.push(tokens)
    this.prefillTokens += tokens
    this.prefillTokenPairs += tokens * (sequence.computed + tokens / 2)
  }

  /** Blocks to take before so many more tokens of a prompt can be read. */
  blocksMissing(sequence: Sequence, tokens: number): number {
    return Math.max(0, this.kv.blocksFor(sequence.computed + tokens) - sequence.blocks)
  }

  /** The first that waits takes a seat, with what the cache has of it. */
  admit(sequence: Sequence, hitTokens: number, hitBlocks: number): void {
    this.waiting.shift()
    sequence.state = 'prefilling'
    sequence.computed = hitTokens
    sequence.hitTokens = hitTokens
    sequence.blocks = hitBlocks
    this.queriedTokensTotal += sequence.target
    this.hitTokensTotal += hitTokens
    this.running.push(sequence)
    this.prefilling.push(sequence)
  }

  /** A running sequence gives everything back, and waits to be computed anew. */
  preempt(sequence: Sequence, where: 'in front' | 'at the end'): void {
    this.leave(sequence)
    sequence.target = sequence.promptTokens + sequence.emitted
    if (where === 'in front') this.waiting.putBack(sequence)
    else this.waiting.push(sequence)
    this.preempted.push(sequence)
    this.preemptionsTotal += 1
  }

  /** A running sequence ends for want of memory. */
  fail(sequence: Sequence): void {
    this.leave(sequence)
    this.failed.push(sequence)
  }

  /** A running sequence gives its seat and its blocks back, whatever it was doing. */
  leave(sequence: Sequence): void {
    const blocks = this.blocksOf(sequence)
    if (sequence.state === 'decoding') this.#endDecoding(sequence)
    else {
      removeFrom(this.prefilling, sequence)
      this.#unplanChunk(sequence)
    }
    removeFrom(this.running, sequence)
    this.keeper.release(sequence, blocks, sequence.computed)
    sequence.state = 'waiting'
    sequence.blocks = 0
    sequence.computed = 0
  }

  /** The prompt is read and the next token is there: more come with the steps. */
  startDecoding(sequence: Sequence): void {
    removeFrom(this.prefilling, sequence)
    sequence.state = 'decoding'
    sequence.sinceTick = this.tick
    sequence.finishTick = this.tick + sequence.outputTokens - sequence.emitted
    this.decoding += 1
    this.decodingContextTokens += sequence.computed
    this.#blockNeeds[sequence.residue(this.kv.blockTokens)]! += 1
    this.#finishes.push(sequence.finishTick, sequence)
  }

  /** Every decoding sequence got so many tokens. Blocks beyond the first step's are taken here. */
  advance(steps: number): void {
    this.tick += 1
    this.kv.take(this.blocksNeededFor(steps - 1))
    this.tick += steps - 1
    this.decodingContextTokens += this.decoding * steps
    this.outputTokensTotal += this.decoding * steps
    this.stepDecodes = false
  }

  /** The next decoding sequence that has written all it will; undefined if none. */
  nextFinished(): Sequence | undefined {
    this.#dropStaleFinishes()
    return this.#finishes.minKey <= this.tick ? this.#finishes.pop() : undefined
  }

  clearStep(): void {
    this.chunkSequences.length = 0
    this.chunkTokens.length = 0
    this.stepDecodes = false
    this.prefillTokens = 0
    this.prefillTokenPairs = 0
  }

  #endDecoding(sequence: Sequence): void {
    const { blockTokens } = this.kv
    this.decoding -= 1
    this.#blockNeeds[sequence.residue(blockTokens)]! -= 1
    const computed = sequence.computedAt(this.tick)
    sequence.emitted = sequence.emittedAt(this.tick)
    this.decodingContextTokens -= computed
    sequence.computed = computed
    sequence.state = 'waiting'
  }

  #unplanChunk(sequence: Sequence): void {
    const at = this.chunkSequences.indexOf(sequence)
    if (at === -1) return
    const tokens = this.chunkTokens[at]!
    this.prefillTokens -= tokens
    this.prefillTokenPairs -= tokens * (sequence.computed + tokens / 2)
    this.chunkSequences.splice(at, 1)
    this.chunkTokens.splice(at, 1)
  }

  /** Those that left before their time are still in the heap: they are dropped as they come up. */
  #dropStaleFinishes(): void {
    for (;;) {
      const first = this.#finishes.min
      if (first === undefined) return
      if (first.state === 'decoding' && first.finishTick === this.#finishes.minKey) return
      this.#finishes.pop()
    }
  }
}

/** Those that leave are mostly near the end: the newest are preempted, and prompts are read last. */
function removeFrom(list: Sequence[], sequence: Sequence): void {
  const at = list.lastIndexOf(sequence)
  if (at !== -1) list.splice(at, 1)
}
