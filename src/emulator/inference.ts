import type { EmulatorClock } from '#emulator/clock.ts'
import { Histogram } from '#emulator/histogram.ts'

/** One request, as the machine sees it. */
export interface Job {
  readonly promptTokens: number
  readonly outputTokens: number
  /** Time before the prompt is read: a model that loads first, or a fault. */
  readonly delayMs: number
  /**
   * Called as tokens come, with the range that is new; several at once when they fall due between
   * two looks at the clock. Left out when only the end matters.
   */
  readonly onTokens?: (from: number, to: number) => void
  readonly onDone: () => void
}

export interface RunningJob {
  /** Gives the slot back at once. After the end it does nothing. */
  cancel(): void
}

export interface InferenceRates {
  readonly prefillTokensPerSecond: number
  readonly decodeTokensPerSecond: number
  readonly slots: number
  /** The most jobs that may wait; null for no limit. */
  readonly waitingMax: number | null
  /** Tokens its KV cache holds, for the usage it reports. */
  readonly kvTokens: number
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
  readonly finishedTotal: number
  readonly cancelledTotal: number
}

const secondsBounds = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const tokenSecondsBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1]

/**
 * The machine behind the server, with fixed rates: a job waits for a slot, reads its prompt at the
 * prefill rate and then gives one token each 1/decode rate. Every running job has the full rate of
 * a single stream, however many run beside it; sharing by batches, KV blocks and a prefix cache
 * come with the engine timing model. Slots are given first come, first served.
 *
 * A token is never early. One that is late, since timers are, comes together with those due since.
 */
export class Inference {
  readonly #clock: EmulatorClock
  readonly #rates: InferenceRates
  readonly #running = new Set<OneJob>()
  readonly #waiting = new Set<OneJob>()
  readonly ttftSeconds = new Histogram(secondsBounds)
  readonly queueSeconds = new Histogram(secondsBounds)
  readonly endToEndSeconds = new Histogram(secondsBounds)
  readonly interTokenSeconds = new Histogram(tokenSecondsBounds)
  #promptTokensTotal = 0
  #promptMsTotal = 0
  #outputTokensTotal = 0
  #outputMsTotal = 0
  #finishedTotal = 0
  #cancelledTotal = 0

  constructor(clock: EmulatorClock, rates: InferenceRates) {
    this.#clock = clock
    this.#rates = rates
  }

  /** Takes a job, or returns null when too many wait. An instant one is done before this returns. */
  submit(job: Job): RunningJob | null {
    const { slots, waitingMax } = this.#rates
    const one = new OneJob(job, this.#clock, this.#rates, {
      prompt: (tokens, tookMs) => {
        this.#promptTokensTotal += tokens
        this.#promptMsTotal += tookMs
      },
      tokens: (tokens) => {
        this.#outputTokensTotal += tokens
      },
      done: (ended) => this.#done(ended),
    })
    if (this.#running.size < slots) {
      this.#running.add(one)
      one.start()
    } else {
      if (waitingMax !== null && this.#waiting.size >= waitingMax) return null
      this.#waiting.add(one)
    }
    return { cancel: () => this.#cancel(one) }
  }

  load(): InferenceLoad {
    let kvUsedTokens = 0
    let decoding = 0
    for (const one of this.#running) {
      kvUsedTokens += one.contextTokens()
      if (one.isDecoding()) decoding += 1
    }
    const { slots, kvTokens, decodeTokensPerSecond } = this.#rates
    return {
      running: this.#running.size,
      waiting: this.#waiting.size,
      slots,
      kvTokens,
      kvUsedTokens,
      promptTokensTotal: this.#promptTokensTotal,
      promptMsTotal: this.#promptMsTotal,
      outputTokensTotal: this.#outputTokensTotal,
      outputMsTotal: this.#outputMsTotal,
      outputTokensPerSecond: decoding === 0 ? 0 : decoding * decodeTokensPerSecond,
      finishedTotal: this.#finishedTotal,
      cancelledTotal: this.#cancelledTotal,
    }
  }

  /** Stops everything without a word to anybody. */
  close(): void {
    for (const one of this.#running) one.stop()
    this.#running.clear()
    this.#waiting.clear()
  }

  #done(one: OneJob): void {
    if (!this.#running.delete(one)) return
    this.#finishedTotal += 1
    const { queueMs, ttftMs, totalMs, outputTokens } = one.timing()
    this.#outputMsTotal += totalMs - ttftMs
    this.queueSeconds.observe(queueMs / 1000)
    this.ttftSeconds.observe(ttftMs / 1000)
    this.endToEndSeconds.observe(totalMs / 1000)
    if (outputTokens > 1) {
      this.interTokenSeconds.observe((totalMs - ttftMs) / (outputTokens - 1) / 1000)
    }
    this.#startNext()
  }

  #cancel(one: OneJob): void {
    const ran = this.#running.delete(one)
    const waited = this.#waiting.delete(one)
    if (!ran && !waited) return
    one.stop()
    this.#cancelledTotal += 1
    if (ran) this.#startNext()
  }

  #startNext(): void {
    for (const one of this.#waiting) {
      if (this.#running.size >= this.#rates.slots) return
      this.#waiting.delete(one)
      this.#running.add(one)
      one.start()
    }
  }
}

/** Sums of fractions of milliseconds may miss a moment by less than this, and not come again. */
const roundingMs = 1e-6

interface JobEvents {
  prompt(tokens: number, tookMs: number): void
  tokens(count: number): void
  done(one: OneJob): void
}

class OneJob {
  readonly #job: Job
  readonly #clock: EmulatorClock
  readonly #events: JobEvents
  readonly #submittedAtMs: number
  readonly #prefillMs: number
  readonly #msPerToken: number
  #startedAtMs = 0
  /** When the first token is due. */
  #firstAtMs = Number.POSITIVE_INFINITY
  #given = 0
  #stopped = false
  #callOff: (() => void) | null = null

  constructor(job: Job, clock: EmulatorClock, rates: InferenceRates, events: JobEvents) {
    this.#job = job
    this.#clock = clock
    this.#events = events
    this.#submittedAtMs = clock.nowMs()
    this.#prefillMs = (job.promptTokens / rates.prefillTokensPerSecond) * 1000
    this.#msPerToken = 1000 / rates.decodeTokensPerSecond
  }

  start(): void {
    this.#startedAtMs = this.#clock.nowMs()
    this.#firstAtMs = this.#startedAtMs + this.#job.delayMs + this.#prefillMs
    this.#tick()
  }

  stop(): void {
    this.#stopped = true
    this.#callOff?.()
  }

  isDecoding(): boolean {
    return this.#job.outputTokens > 1 && this.#clock.nowMs() >= this.#firstAtMs
  }

  contextTokens(): number {
    return this.#job.promptTokens + this.#due(this.#clock.nowMs())
  }

  timing() {
    const lastMs = Math.max(0, this.#job.outputTokens - 1) * this.#msPerToken
    return {
      queueMs: this.#startedAtMs - this.#submittedAtMs,
      ttftMs: this.#firstAtMs - this.#submittedAtMs,
      totalMs: this.#firstAtMs + lastMs - this.#submittedAtMs,
      outputTokens: this.#job.outputTokens,
    }
  }

  /** How many tokens should have come by now. */
  #due(nowMs: number): number {
    const { outputTokens } = this.#job
    if (nowMs + roundingMs < this.#firstAtMs || outputTokens === 0) return 0
    if (this.#msPerToken === 0) return outputTokens
    const elapsed = Math.floor((nowMs + roundingMs - this.#firstAtMs) / this.#msPerToken)
    return Math.min(outputTokens, elapsed + 1)
  }

  #tick(): void {
    const { onTokens, outputTokens, promptTokens } = this.#job
    const nowMs = this.#clock.nowMs()
    const due = this.#due(nowMs)
    const isWhole = onTokens === undefined
    if (due > this.#given && (!isWhole || due === outputTokens)) {
      const from = this.#given
      if (from === 0) this.#events.prompt(promptTokens, this.#prefillMs)
      this.#given = due
      this.#events.tokens(due - from)
      onTokens?.(from, due)
      if (this.#stopped) return
    }
    if (this.#given === outputTokens && nowMs + roundingMs >= this.#firstAtMs) {
      if (outputTokens === 0) this.#events.prompt(promptTokens, this.#prefillMs)
      this.#events.done(this)
      this.#job.onDone()
      return
    }
    const next = isWhole ? Math.max(0, outputTokens - 1) : this.#given
    const nextAtMs = this.#firstAtMs + next * this.#msPerToken
    this.#callOff = this.#clock.schedule(nextAtMs - nowMs, () => this.#tick())
  }
}
