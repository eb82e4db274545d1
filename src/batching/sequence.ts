import type { BatchRequest, PrefixBlocks } from '#batching/batch-request.ts'
import type { CachedUnit } from '#batching/cached-unit.ts'

/**
 * One request inside a scheduler.
 *
 *   waiting ──admitted──▶ prefilling ──prompt read──▶ decoding ──last token──▶ (gone)
 *      ▲                      │                          │
 *      └──────preempted───────┴──────────────────────────┘
 *
 * While it decodes, its counts are not written at each step: all decoding sequences advance
 * together, so each is the scheduler's tick plus a constant.
 */
export class Sequence {
  readonly id: number
  readonly promptTokens: number
  readonly outputTokens: number
  readonly maxOutputTokens: number
  readonly prefix: Required<PrefixBlocks> | null
  state: 'waiting' | 'prefilling' | 'decoding' = 'waiting'
  /** Tokens written; while it decodes, those written before {@link sinceTick}. */
  emitted = 0
  /** Tokens whose keys and values are in the cache; while it decodes, those at sinceTick. */
  computed = 0
  /** What has to be computed before the next token comes: the prompt and what was written. */
  target = 0
  /** Blocks it holds while its prompt is read, shared ones among them. */
  blocks = 0
  /** Prompt tokens that were found in the cache when it was last admitted. */
  hitTokens = 0
  sinceTick = 0
  finishTick = 0
  /** Blocks of the prefix cache that it uses, in order. */
  readonly units: CachedUnit[] = []
  unitBlocks = 0
  /** The first block of its prefix that it has not offered to the cache. */
  nextUnit = 0
  /** Where engines have numbered slots. */
  slot = -1

  constructor(request: BatchRequest, contextTokens: number) {
    const room = Math.max(0, contextTokens - request.promptTokens)
    this.id = request.id
    this.promptTokens = request.promptTokens
    this.outputTokens = Math.min(request.outputTokens, room)
    this.maxOutputTokens = Math.min(request.maxOutputTokens ?? room, room)
    this.prefix = request.prefix === undefined ? null : wholePrefix(request.prefix, request)
    this.target = request.promptTokens
  }

  computedAt(tick: number): number {
    return this.state === 'decoding' ? this.computed + tick - this.sinceTick : this.computed
  }

  emittedAt(tick: number): number {
    return this.state === 'decoding' ? this.emitted + tick - this.sinceTick : this.emitted
  }

  /** Of the ticks, modulo the tokens in a block, the one at which it needs a new block. */
  residue(blockTokens: number): number {
    const base = (this.computed - this.sinceTick) % blockTokens
    return base <= 0 ? -base : blockTokens - base
  }
}

function wholePrefix(prefix: PrefixBlocks, { promptTokens }: BatchRequest): Required<PrefixBlocks> {
  const { hashes, blockTokens } = prefix
  const tokens = prefix.tokens ?? Math.min(promptTokens, hashes.length * blockTokens)
  return { hashes, blockTokens, tokens }
}
