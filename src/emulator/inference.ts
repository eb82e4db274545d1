import type { PrefixBlocks } from '#batching/batch-request.ts'
import { BatchScheduler } from '#batching/batch-scheduler.ts'
import { stepTimeOf } from '#batching/step-time.ts'
import type { EmulatorClock } from '#emulator/clock.ts'
import type { EngineModel } from '#emulator/engine-model.ts'
import { Histogram } from '#emulator/histogram.ts'

/** One request, as the machine sees it. */
export interface Job {
  readonly promptTokens: number
  readonly outputTokens: number
  /** The most it may write, where the request says so: a careful engine keeps room for it. */
  readonly maxOutputTokens?: number
  /** What its prompt is, for the prefix cache. */
  readonly prefix?: PrefixBlocks
  /** Time before it reaches the engine: a model that loads first, or a fault. */
  readonly delayMs: number
  /**
   * Called as tokens come, with the range that is new; several at once when they fall due between
   * two looks at the clock. Left out when only the end matters.
   */
  readonly onTokens?: (from: number, to: number) => void
  readonly onDone: () => void
}

/** How long the phases of a job have taken so far. */
export interface JobTiming {
  readonly queueMs: number
  readonly promptMs: number
  readonly outputMs: number
}

export interface RunningJob {
  /** Gives its place and its memory back at once. After the end it does nothing. */
  cancel(): void
  timing(): JobTiming
}

export interface InferenceOptions
  extends Pick<EngineModel, 'stepTime' | 'behaviour' | 'slots' | 'kvTokens'> {
  /** The longest prompt and answer together. */
  readonly contextTokens: number
  /** The most jobs that may wait; null for no limit. */
  readonly waitingMax: number | null
}

/** What the machine has done and is doing, for metrics pages. */
export interface InferenceLoad {
  readonly running: number
  readonly waiting: number
  readonly slots: number
  readonly kvTokens: number
  readonly kvUsedTokens: number
  readonly promptTokensTotal: number
  readonly promptMsTotal: number
  readonly outputTokensTotal: number
  readonly outputMsTotal: number
  /** What all running jobs decode together right now. */
  readonly outputTokensPerSecond: number
  readonly prefixQueriedTokensTotal: number
  readonly prefixHitTokensTotal: number
  readonly preemptionsTotal: number
  readonly finishedTotal: number
  readonly cancelledTotal: number
  readonly stepsTotal: number
}

/** One numbered slot that is in use. */
export interface BusySlot {
  readonly slot: number
  readonly job: number
  readonly writtenTokens: number
  readonly remainingTokens: number
}

const secondsBounds = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const tokenSecondsBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1]

/** Sums of fractions of milliseconds may miss a moment by less than this, and not come again. */
const roundingMs = 1e-6

/**
 * The machine behind the server: the engine timing model on a clock. Jobs share its steps, its
 * memory and its prefix cache as they would in the engine that is emulated.
 *
 * A token is never early. One that is late, since timers are, comes together with those due since.
 */
export class Inference {
  readonly #clock: EmulatorClock
  readonly #options: InferenceOptions
  readonly #scheduler: BatchScheduler
  readonly #jobs = new Map<number, OneJob>()
  /** Jobs that have not reached the engine yet. From outside they run, and give nothing. */
  readonly #delayed = new Set<OneJob>()
  readonly ttftSeconds = new Histogram(secondsBounds)
  readonly queueSeconds = new Histogram(secondsBounds)
  readonly endToEndSeconds = new Histogram(secondsBounds)
  readonly interTokenSeconds = new Histogram(tokenSecondsBounds)
  #nextId = 1
  #callOff: (() => void) | null = null
  #armedForMs = Number.POSITIVE_INFINITY
  #runs = false
  #isClosed = false
  #stepMs = 0
  #promptTokensTotal = 0
  #promptMsTotal = 0
  #outputMsTotal = 0
  #finishedTotal = 0
  #cancelledTotal = 0

  constructor(clock: EmulatorClock, options: InferenceOptions) {
    this.#clock = clock
    this.#options = options
    this.#scheduler = new BatchScheduler({
      stepTime: stepTimeOf(options.stepTime),
      seats: options.slots,
      kvTokens: options.kvTokens,
      contextTokens: options.contextTokens,
      behaviour: options.behaviour,
      // Every token is seen in its own step, unless steps take no time.
      stepsAtOnce: takesNoTime(options) ? Number.POSITIVE_INFINITY : 1,
    })
  }

  /** Takes a job, or returns null when too many wait or it is closed. An instant one is done before this returns. */
  submit(job: Job): RunningJob | null {
    if (this.#isClosed) return null
    const { waitingMax } = this.#options
    const { running, waiting } = this.load()
    const mustWait = running >= this.#options.slots
    if (waitingMax !== null && mustWait && waiting >= waitingMax) return null
    const one = new OneJob(this.#nextId, job, this.#clock.nowMs())
    this.#nextId += 1
    if (job.delayMs > 0) {
      this.#delayed.add(one)
      one.callOffDelay = this.#clock.schedule(job.delayMs, () => this.#enter(one))
    } else {
      this.#enter(one)
    }
    return {
      cancel: () => this.#cancel(one),
      timing: () => one.timing(this.#clock.nowMs()),
    }
  }

  load(): InferenceLoad {
    const load = this.#scheduler.load(this.#clock.nowMs())
    return {
      running: load.running + this.#delayed.size,
      waiting: load.waiting,
      slots: this.#options.slots,
      kvTokens: load.kvTokens,
      kvUsedTokens: load.kvUsedTokens,
      promptTokensTotal: this.#promptTokensTotal,
      promptMsTotal: this.#promptMsTotal,
      outputTokensTotal: load.outputTokensTotal,
      outputMsTotal: this.#outputMsTotal,
      outputTokensPerSecond: this.#stepMs === 0 ? 0 : (load.decoding * 1000) / this.#stepMs,
      prefixQueriedTokensTotal: load.prefixQueriedTokensTotal,
      prefixHitTokensTotal: load.prefixHitTokensTotal,
      preemptionsTotal: load.preemptionsTotal,
      finishedTotal: this.#finishedTotal,
      cancelledTotal: this.#cancelledTotal,
      stepsTotal: load.stepsTotal,
    }
  }

  /** The slots that are in use, by number, where the engine has numbered ones. */
  busySlots(): readonly BusySlot[] {
    const busy: BusySlot[] = []
    for (const one of this.#jobs.values()) {
      const progress = this.#scheduler.progress(one.id)
      if (progress === null || progress.slot === -1) continue
      const { slot, emittedTokens } = progress
      const remainingTokens = one.job.outputTokens - emittedTokens
      busy.push({ slot, job: one.id, writtenTokens: emittedTokens, remainingTokens })
    }
    return busy.sort((a, b) => a.slot - b.slot)
  }

  /** Stops everything without a word to anybody. Clients that leave after it start nothing again. */
  close(): void {
    this.#isClosed = true
    this.#callOff?.()
    this.#callOff = null
    for (const one of this.#delayed) one.callOffDelay?.()
    this.#delayed.clear()
    this.#jobs.clear()
  }

  #enter(one: OneJob): void {
    this.#delayed.delete(one)
    this.#catchUp()
    const { contextTokens } = this.#scheduler
    const { outputTokens, maxOutputTokens, prefix } = one.job
    this.#jobs.set(one.id, one)
    // The server has refused what is too long for the model; what else is too long is cut.
    const promptTokens = Math.min(one.job.promptTokens, contextTokens - Math.max(1, outputTokens))
    this.#scheduler.submit(
      {
        id: one.id,
        promptTokens: Math.max(0, promptTokens),
        outputTokens,
        ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
        ...(prefix === undefined ? {} : { prefix }),
      },
      this.#clock.nowMs(),
    )
    this.#catchUp()
  }

  #cancel(one: OneJob): void {
    if (one.isOver) return
    one.isOver = true
    one.callOffDelay?.()
    this.#cancelledTotal += 1
    this.#jobs.delete(one.id)
    if (this.#delayed.delete(one)) return
    this.#scheduler.cancel(one.id, this.#clock.nowMs())
    this.#catchUp()
  }

  /** Takes all steps that are due, gives out what came of them, and waits for the next. */
  #catchUp(): void {
    // A job that is told of its tokens may submit or cancel another: the outer call goes on.
    if (this.#runs || this.#isClosed) return
    this.#runs = true
    const scheduler = this.#scheduler
    const nowMs = this.#clock.nowMs() + roundingMs
    const finished: number[] = []
    do {
      finished.length = 0
      this.#noteStarts()
      let stepped = false
      while (scheduler.stepDueMs <= nowMs) {
        const { startMs, endMs, firstTokens, finished: ended } = scheduler.runStep()
        stepped = true
        this.#stepMs = endMs - startMs
        for (const id of firstTokens) this.#noteFirstToken(id, endMs)
        for (const id of ended) {
          const one = this.#jobs.get(id)
          if (one !== undefined) one.endedAtMs = endMs
          finished.push(id)
        }
        this.#noteStarts()
      }
      if (stepped) this.#give(nowMs)
      for (const id of finished) this.#finish(id)
    } while (scheduler.stepDueMs <= nowMs)
    this.#runs = false
    this.#arm()
  }

  #arm(): void {
    const dueMs = this.#scheduler.stepDueMs
    if (dueMs === this.#armedForMs && this.#callOff !== null) return
    this.#callOff?.()
    this.#callOff = null
    this.#armedForMs = dueMs
    if (dueMs === Number.POSITIVE_INFINITY) return
    this.#callOff = this.#clock.schedule(dueMs - this.#clock.nowMs(), () => {
      this.#callOff = null
      this.#catchUp()
    })
  }

  /** Tells every job that wants to know of the tokens it got. */
  #give(nowMs: number): void {
    for (const one of [...this.#jobs.values()]) {
      const { onTokens } = one.job
      if (onTokens === undefined || one.isOver || one.endedAtMs !== null) continue
      const tokens = this.#scheduler.outputTokens(one.id, nowMs)
      if (tokens > one.given) one.give(tokens)
    }
  }

  #noteStarts(): void {
    for (const one of this.#jobs.values()) {
      if (one.startedAtMs !== null) continue
      // Jobs are admitted in order: behind one that waits nobody has begun.
      if (this.#scheduler.progress(one.id)?.state === 'waiting') return
      one.startedAtMs = this.#clock.nowMs()
    }
  }

  #noteFirstToken(id: number, atMs: number): void {
    const one = this.#jobs.get(id)
    if (one === undefined) return
    one.firstTokenAtMs = atMs
    this.#countPrompt(one, atMs)
  }

  #countPrompt(one: OneJob, atMs: number): void {
    this.#promptTokensTotal += one.job.promptTokens
    this.#promptMsTotal += atMs - (one.startedAtMs ?? atMs)
  }

  #finish(id: number): void {
    const one = this.#jobs.get(id)
    if (one === undefined || one.endedAtMs === null) return
    this.#jobs.delete(id)
    const { outputTokens } = one.job
    const endMs = one.endedAtMs
    if (one.firstTokenAtMs === null) this.#countPrompt(one, endMs)
    const firstMs = one.firstTokenAtMs ?? endMs
    this.#finishedTotal += 1
    this.#outputMsTotal += endMs - firstMs
    this.queueSeconds.observe(((one.startedAtMs ?? firstMs) - one.submittedAtMs) / 1000)
    this.ttftSeconds.observe((firstMs - one.submittedAtMs) / 1000)
    this.endToEndSeconds.observe((endMs - one.submittedAtMs) / 1000)
    if (outputTokens > 1) {
      this.interTokenSeconds.observe((endMs - firstMs) / (outputTokens - 1) / 1000)
    }
    if (outputTokens > one.given) one.give(outputTokens)
    if (one.isOver) return
    one.isOver = true
    one.job.onDone()
  }
}

function takesNoTime({ stepTime: { linear } }: InferenceOptions): boolean {
  return linear.kind === 'rates' && linear.decodeMs === 0 && linear.prefillMsPerToken === 0
}

class OneJob {
  readonly id: number
  readonly job: Job
  readonly submittedAtMs: number
  startedAtMs: number | null = null
  firstTokenAtMs: number | null = null
  endedAtMs: number | null = null
  given = 0
  isOver = false
  callOffDelay: (() => void) | null = null

  constructor(id: number, job: Job, submittedAtMs: number) {
    this.id = id
    this.job = job
    this.submittedAtMs = submittedAtMs
  }

  give(tokens: number): void {
    const from = this.given
    this.given = tokens
    this.job.onTokens?.(from, tokens)
  }

  timing(nowMs: number): JobTiming {
    const startedAtMs = this.startedAtMs ?? nowMs
    const firstAtMs = this.firstTokenAtMs ?? this.endedAtMs ?? nowMs
    return {
      queueMs: startedAtMs - this.submittedAtMs,
      promptMs: Math.max(0, firstAtMs - startedAtMs),
      outputMs: (this.endedAtMs ?? nowMs) - firstAtMs,
    }
  }
}
