/**
 * The timing model of an inference engine with continuous batching. It computes nothing and has no
 * clock: it says when the step under way will be over, and is told to finish it.
 *
 *     scheduler.submit({ id: 1, promptTokens: 900, outputTokens: 64 }, nowMs)
 *     while (scheduler.stepDueMs <= untilMs) {
 *       const { endMs, firstTokens, finished } = scheduler.runStep()
 *       …
 *     }
 *
 * Times never go back: whoever drives it runs all steps that are due by a time before telling of
 * anything that happens at it. The same calls give the same answers.
 */
import { Batch } from '#batching/batch.ts'
import type { BatchRequest } from '#batching/batch-request.ts'
import { KvBlocks } from '#batching/kv-blocks.ts'
import { blockTokensOf, type EngineBehaviour, policyOf } from '#batching/policies/behaviour.ts'
import type { SchedulingPolicy } from '#batching/policies/policy.ts'
import { Sequence } from '#batching/sequence.ts'
import { StepRun } from '#batching/step-run.ts'
import type { StepTime } from '#batching/step-time.ts'

export interface BatchSchedulerOptions {
  readonly stepTime: StepTime
  /** Sequences that run at a time. */
  readonly seats: number
  /** Tokens that the KV cache holds. */
  readonly kvTokens: number
  /** The longest sequence, prompt and answer together; never more than the cache holds. */
  readonly contextTokens?: number
  readonly behaviour: EngineBehaviour
  /**
   * The most steps that {@link BatchScheduler.runStep} takes at once when they only decode; without
   * limit unless given. With 1 every token is seen in its own step.
   */
  readonly stepsAtOnce?: number
}

/** What one step was, or several equal ones. Overwritten by the next: read it at once. */
export interface StepReport {
  readonly startMs: number
  readonly endMs: number
  /** More than one only when they did nothing but decode and nobody's answer ended before the last. */
  readonly steps: number
  /** Sequences that got one token in each of these steps; those that ended now are among them. */
  readonly decodes: number
  readonly prefillTokens: number
  /** Requests whose first token came at the end of it. */
  readonly firstTokens: readonly number[]
  /** Requests that are over, with all their tokens. */
  readonly finished: readonly number[]
  /** Requests that lost their place to others at the end of it, and will be computed anew. */
  readonly preempted: readonly number[]
  /** Requests that the engine gave up at the end of it, for want of memory. */
  readonly failed: readonly number[]
}

/** What the engine is doing and has done. */
export interface BatchLoad {
  readonly running: number
  readonly waiting: number
  readonly decoding: number
  readonly kvTokens: number
  readonly kvUsedTokens: number
  /** Kept of what is over, in case it comes again. */
  readonly kvCachedTokens: number
  readonly promptTokensTotal: number
  readonly outputTokensTotal: number
  /** Prompt tokens for which the prefix cache was asked, and those it had. */
  readonly prefixQueriedTokensTotal: number
  readonly prefixHitTokensTotal: number
  readonly preemptionsTotal: number
  readonly finishedTotal: number
  readonly cancelledTotal: number
  readonly failedTotal: number
  readonly stepsTotal: number
  readonly busyMsTotal: number
}

/** Where the progress of one request stands. */
export interface SequenceProgress {
  readonly state: 'waiting' | 'prefilling' | 'decoding'
  readonly emittedTokens: number
  readonly computedTokens: number
  /** Prompt tokens that the prefix cache spared it when it was last admitted. */
  readonly hitTokens: number
  /** The slot it has, where the engine has numbered ones; -1 otherwise. */
  readonly slot: number
}

export const defaultMicroBatchTokens = 512

type Writable<Type> = { -readonly [Key in keyof Type]: Type[Key] }

export class BatchScheduler {
  readonly contextTokens: number
  readonly #batch: Batch
  readonly #policy: SchedulingPolicy
  readonly #stepTime: StepTime
  readonly #microBatchTokens: number
  readonly #stepsAtOnce: number
  readonly #sequences = new Map<number, Sequence>()
  /** The step under way, or a run of equal steps that only decode. */
  readonly #run = new StepRun()
  #underWay = false
  #dueMs = Number.POSITIVE_INFINITY
  #finishedTotal = 0
  #cancelledTotal = 0
  #failedTotal = 0
  #stepsTotal = 0
  #busyMsTotal = 0
  readonly #firstTokens: number[] = []
  readonly #finished: number[] = []
  readonly #preempted: number[] = []
  readonly #failed: number[] = []
  readonly #report: Writable<StepReport> = {
    startMs: 0,
    endMs: 0,
    steps: 0,
    decodes: 0,
    prefillTokens: 0,
    firstTokens: this.#firstTokens,
    finished: this.#finished,
    preempted: this.#preempted,
    failed: this.#failed,
  }
  readonly #load = { decodes: 0, decodeContextTokens: 0, prefillTokens: 0, prefillTokenPairs: 0 }

  constructor(options: BatchSchedulerOptions) {
    const { behaviour, kvTokens, seats } = options
    const kv = new KvBlocks(kvTokens, blockTokensOf(behaviour))
    const splits = behaviour.kind === 'llama-server' && behaviour.unifiedKv !== true
    const roomTokens = splits ? Math.floor(kvTokens / seats) : kv.total * kv.blockTokens
    this.contextTokens = Math.min(options.contextTokens ?? roomTokens, roomTokens)
    this.#policy = policyOf(behaviour, kv, seats)
    this.#batch = new Batch(kv, seats, this.#policy)
    this.#stepTime = options.stepTime
    this.#stepsAtOnce = options.stepsAtOnce ?? Number.POSITIVE_INFINITY
    this.#microBatchTokens =
      behaviour.kind === 'llama-server'
        ? (behaviour.microBatchTokens ?? defaultMicroBatchTokens)
        : Number.POSITIVE_INFINITY
  }

  /** When the step under way, or the run of them, is over; Infinity when there is none. */
  get stepDueMs(): number {
    return this.#dueMs
  }

  /**
   * Takes a request in. False when its prompt is longer than a sequence may be: an engine refuses
   * such a one before it looks at it. An answer longer than what is left is cut at that length.
   */
  submit(request: BatchRequest, nowMs: number): boolean {
    if (request.promptTokens >= this.contextTokens) return false
    const sequence = new Sequence(request, this.contextTokens)
    const { waiting, running, seats } = this.#batch
    // Who waits behind others, or for a seat, changes nothing before a sequence is done.
    const mayJoin = waiting.length === 0 && running.length < seats
    this.#sequences.set(request.id, sequence)
    waiting.push(sequence)
    if (!this.#underWay) this.#planStep(nowMs)
    else if (mayJoin) this.#settle(nowMs)
    return true
  }

  /** The request leaves at once, with all it holds. False when it is not here (any more). */
  cancel(id: number, nowMs: number): boolean {
    const sequence = this.#sequences.get(id)
    if (sequence === undefined) return false
    this.#sequences.delete(id)
    this.#cancelledTotal += 1
    // Even one that only waited may have stood before another that fits.
    this.#settle(nowMs)
    if (sequence.state === 'waiting') this.#batch.waiting.remove(sequence)
    else this.#batch.leave(sequence)
    return true
  }

  /** Finishes the step under way and begins the next. Call it when {@link stepDueMs} has come. */
  runStep(): StepReport {
    if (!this.#underWay) throw new Error('No step is under way.')
    const batch = this.#batch
    const report = this.#report
    this.#firstTokens.length = 0
    this.#finished.length = 0
    this.#preempted.length = 0
    this.#failed.length = 0
    report.startMs = this.#run.startMs
    report.endMs = this.#dueMs
    report.steps = this.#run.steps
    report.decodes = batch.stepDecodes ? batch.decoding : 0
    report.prefillTokens = batch.prefillTokens
    if (batch.stepDecodes) batch.advance(this.#run.steps)
    this.#count(this.#run.steps, this.#dueMs)
    for (;;) {
      const sequence = batch.nextFinished()
      if (sequence === undefined) break
      this.#finish(sequence)
    }
    for (let at = 0; at < batch.chunkSequences.length; ) {
      const sequence = batch.chunkSequences[at]!
      this.#readChunk(sequence, batch.chunkTokens[at]!)
      // One that is over with this chunk has left the list.
      if (batch.chunkSequences[at] === sequence) at += 1
    }
    this.#planStep(this.#dueMs)
    return report
  }

  load(nowMs: number): BatchLoad {
    const batch = this.#batch
    const { kv } = batch
    const behind = this.#stepsDoneBy(nowMs)
    const behindBlocks = behind === 0 ? 0 : batch.blocksNeededFor(behind + 1) - batch.blocksNeeded()
    return {
      running: batch.running.length,
      waiting: batch.waiting.length,
      decoding: batch.decoding,
      kvTokens: kv.total * kv.blockTokens,
      kvUsedTokens: (kv.used + behindBlocks) * kv.blockTokens,
      kvCachedTokens: Math.min(kv.cached, kv.available - behindBlocks) * kv.blockTokens,
      promptTokensTotal: batch.promptTokensTotal,
      outputTokensTotal: batch.outputTokensTotal + behind * batch.decoding,
      prefixQueriedTokensTotal: batch.queriedTokensTotal,
      prefixHitTokensTotal: batch.hitTokensTotal,
      preemptionsTotal: batch.preemptionsTotal,
      finishedTotal: this.#finishedTotal,
      cancelledTotal: this.#cancelledTotal,
      failedTotal: this.#failedTotal,
      stepsTotal: this.#stepsTotal + behind,
      busyMsTotal:
        this.#busyMsTotal + (this.#underWay ? Math.max(0, nowMs - this.#run.startMs) : 0),
    }
  }

  /** How many tokens a request has been given by then; 0 when it is not here (any more). */
  outputTokens(id: number, nowMs: number): number {
    const sequence = this.#sequences.get(id)
    if (sequence === undefined) return 0
    const behind = sequence.state === 'decoding' ? this.#stepsDoneBy(nowMs) : 0
    return sequence.emittedAt(this.#batch.tick) + behind
  }

  progress(id: number): SequenceProgress | null {
    const sequence = this.#sequences.get(id)
    if (sequence === undefined) return null
    const { tick } = this.#batch
    return {
      state: sequence.state,
      emittedTokens: sequence.emittedAt(tick),
      computedTokens: sequence.computedAt(tick),
      hitTokens: sequence.hitTokens,
      slot: sequence.state === 'waiting' ? -1 : sequence.slot,
    }
  }

  #readChunk(sequence: Sequence, tokens: number): void {
    const batch = this.#batch
    sequence.computed += tokens
    batch.promptTokensTotal += tokens
    if (sequence.computed < sequence.target) return
    if (sequence.outputTokens === 0) {
      this.#finish(sequence)
      return
    }
    if (sequence.emitted === 0) this.#firstTokens.push(sequence.id)
    sequence.emitted += 1
    batch.outputTokensTotal += 1
    if (sequence.emitted >= sequence.outputTokens) this.#finish(sequence)
    else batch.startDecoding(sequence)
  }

  #finish(sequence: Sequence): void {
    this.#batch.leave(sequence)
    this.#sequences.delete(sequence.id)
    this.#finished.push(sequence.id)
    this.#finishedTotal += 1
  }

  /** Begins the next step, or none when there is nothing to do. */
  #planStep(nowMs: number): void {
    const batch = this.#batch
    batch.clearStep()
    this.#policy.plan(batch)
    while (batch.failed.length > 0) {
      for (const { id } of batch.failed) {
        this.#sequences.delete(id)
        this.#failed.push(id)
        this.#failedTotal += 1
      }
      batch.failed.length = 0
      // Who waited finds room where the failed ones were.
      batch.clearStep()
      this.#policy.plan(batch)
    }
    for (const { id } of batch.preempted) this.#preempted.push(id)
    // Nobody may have been let in just because others were put back.
    const isSettled = batch.preempted.length === 0
    batch.preempted.length = 0
    this.#underWay = batch.stepDecodes || batch.chunkSequences.length > 0
    this.#run.startMs = nowMs
    if (!this.#underWay) {
      this.#dueMs = Number.POSITIVE_INFINITY
      return
    }
    this.#run.firstMs = this.#stepMs()
    this.#run.steps = 1
    if (batch.chunkSequences.length === 0 && isSettled) this.#planRun()
    this.#dueMs = this.#run.endMs(this.#run.steps)
  }

  /** How many steps like this one follow each other before anything else can happen. */
  #planRun(): void {
    const batch = this.#batch
    if (this.#stepsAtOnce === 1) return
    if (batch.waiting.length > 0 && !this.#policy.waitsForFinish) return
    let steps = Math.min(this.#stepsAtOnce, batch.stepsUntilFinish())
    const first = batch.blocksNeeded()
    const { available, blockTokens } = batch.kv
    if (batch.blocksNeededFor(steps) - first > available) {
      // The blocks run out first. Whole rounds of blocks, then step by step.
      steps = Math.max(1, Math.floor(available / batch.decoding) * blockTokens)
      while (batch.blocksNeededFor(steps + 1) - first <= available) steps += 1
    }
    this.#run.steps = steps
    if (steps === 1) return
    this.#load.decodeContextTokens += batch.decoding
    this.#run.growthMs = this.#stepTime(this.#load) - this.#run.firstMs
  }

  /** How many steps of the run under way are over by then; the last one never is. */
  #stepsDoneBy(nowMs: number): number {
    return this.#underWay ? this.#run.stepsDoneBy(nowMs) : 0
  }

  /** Counts the steps of a run that are over, and leaves only the one under way. */
  #settle(nowMs: number): void {
    const run = this.#run
    if (!this.#underWay || run.steps === 1) return
    const done = run.stepsDoneBy(nowMs)
    const dueMs = run.endMs(done + 1)
    if (done > 0) {
      const doneMs = run.endMs(done)
      this.#batch.advance(done)
      this.#batch.planDecodes()
      this.#count(done, doneMs)
      run.startMs = doneMs
    }
    run.steps = 1
    this.#dueMs = dueMs
  }

  #count(steps: number, untilMs: number): void {
    this.#stepsTotal += steps
    this.#busyMsTotal += untilMs - this.#run.startMs
  }

  #stepMs(): number {
    const batch = this.#batch
    const load = this.#load
    const { prefillTokens, prefillTokenPairs, chunkSequences } = batch
    load.decodes = batch.stepDecodes ? batch.decoding : 0
    // The token that is written attends to itself, too.
    load.decodeContextTokens = batch.stepDecodes ? batch.decodingContextTokens + batch.decoding : 0
    load.prefillTokens = prefillTokens
    load.prefillTokenPairs = prefillTokenPairs
    const micro = this.#microBatchTokens
    if (chunkSequences.length === 0 || load.decodes + prefillTokens <= micro) {
      return this.#stepTime(load)
    }
    // The decodes are in the first piece; the pairs are spread over the pieces by their tokens.
    const pairsPerToken = prefillTokenPairs / prefillTokens
    let left = prefillTokens
    let ms = 0
    while (left > 0) {
      load.prefillTokens = Math.min(left, Math.max(0, micro - load.decodes))
      load.prefillTokenPairs = load.prefillTokens * pairsPerToken
      ms += this.#stepTime(load)
      left -= load.prefillTokens
      load.decodes = 0
      load.decodeContextTokens = 0
    }
    return ms
  }
}
