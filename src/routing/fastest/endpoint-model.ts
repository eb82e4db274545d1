/**
 * What one endpoint is thought to be doing, and what it would do with one request more.
 *
 * All of it is counted from the streams that went there: how many decode, how much context they
 * have, which prompts wait for their first token. Nothing here needs the engine to say anything;
 * what it does say shows what others sent it.
 */
import type { EndpointLoad } from '#core/endpoint.ts'
import type { EndpointId } from '#core/ids.ts'
import type { DispatchEndpoint, DispatchRequest } from '#routing/dispatcher.ts'
import { LearntRoom } from '#routing/fastest/learnt-room.ts'
import { PrefixTrust } from '#routing/fastest/prefix-trust.ts'
import { SpeedEstimate } from '#routing/fastest/speed-estimate.ts'
import type { Stream } from '#routing/fastest/stream.ts'
import { type Job, WorkLedger } from '#routing/fastest/work-ledger.ts'
import { ChurnSet } from '#std/churn.ts'
import { ewma } from '#std/ewma.ts'

/** vLLM's default, for an engine that says nothing of itself. */
const unknownBatchTokens = 2048
/** A chunk is never smaller than a block, however many streams decode. */
const chunkTokensMin = 16
/** The first waiting prompt is never thought to be further than this while its token is awaited. */
const headDoneRatioMax = 0.9
/** A report counts for so much of what is thought of others: reports are old, and counts jump. */
const reportWeight = 0.3
/**
 * Silent for longer than this, than ten steps, and than three times what it should need for the
 * prompt that it is at, an endpoint with work is not to be trusted.
 */
const silenceMsMin = 2_000
const silenceSteps = 10
const silencePrompts = 3

export class EndpointModel {
  readonly id: EndpointId
  told: DispatchEndpoint
  readonly speed: SpeedEstimate
  readonly #room = new LearntRoom()
  readonly decoding: Stream[] = []
  /** In the order in which they were sent, which is the order in which engines compute them. */
  readonly prefilling: Stream[] = []
  /** Decoding too, as far as anybody can tell: of answers in one piece nothing is heard. */
  readonly #unheard = new ChurnSet<Stream>()
  /** Whether it keeps prefixes as it is thought to. */
  readonly prefixes = new PrefixTrust()
  /** What is not counted in tokens. */
  readonly work = new WorkLedger()
  /** Prompt and answer tokens of the decoding streams. */
  contextTokens = 0
  /** Whole prompts of the prefilling ones: what they take of the KV cache. */
  promptTokens = 0
  /** What the answers there are expected to come to, those that have begun included. */
  answerTokens = 0
  /** What is to be computed of them. */
  prefillTokens = 0
  prefillPairs = 0
  /** Requests there that were sent by others, on average of late, and the KV cache they take. */
  otherRequests = 0
  otherTokens = 0
  /** Requests there that are not over, of both kinds. */
  inFlight = 0
  // Lengths of the lists, kept here because a decision reads them of every endpoint that it looks
  // at, mostly not in the processor's cache, and each list is two more places to read from.
  #prefills = 0
  #ownDecodes = 0
  /** Answers there that come token by token. */
  #heard = 0
  /** When anything came from there last. */
  #progressAtMs = 0
  /** Since when the first of `prefilling` is being computed. */
  #headSinceMs = 0
  /** Since when nothing but decoding happened. */
  #decodesOnlySinceMs = 0

  /** `strength` is its weight, as a part of the mean of all. */
  constructor(told: DispatchEndpoint, strength: number, learns: boolean) {
    this.told = told
    this.id = told.view.id
    this.speed = new SpeedEstimate(told.speed, strength, learns)
  }

  tell(told: DispatchEndpoint, strength: number): void {
    this.told = told
    this.speed.tell(told.speed, strength)
  }

  /**
   * Whether a request is there of which nothing was heard, and nothing is known of the endpoint
   * either: it may take a minute where others take a second.
   */
  get isProbed(): boolean {
    return this.#prefills > 0 && !this.speed.isKnown
  }

  /** Requests it may have at a time; fewer while it recovers. */
  get seats(): number {
    const { limits, view } = this.told
    const seats = Math.min(
      limits.seats ?? this.#room.seats,
      view.maxInFlight ?? Number.POSITIVE_INFINITY,
    )
    return view.slowStartRatio < 1 && seats < Number.POSITIVE_INFINITY
      ? Math.max(1, seats * view.slowStartRatio)
      : seats
  }

  /**
   * Requests there, those of others as whole ones: what an average keeps of one that has gone takes
   * no seat, and would for minutes.
   */
  get seatsTaken(): number {
    return this.inFlight + Math.round(this.otherRequests)
  }

  get kvTokens(): number {
    return this.told.limits.kvTokens ?? this.#room.kvTokens
  }

  /** KV cache that is taken, or will be when the prompts there are computed. */
  get takenTokens(): number {
    return this.contextTokens + this.promptTokens + this.otherTokens
  }

  // Getters below are public because private ones are a call into the engine's runtime at each use,
  // and these are used dozens of times in a decision.
  get decodes(): number {
    return this.#ownDecodes + this.otherRequests
  }

  get context(): number {
    return this.contextTokens + this.otherTokens
  }

  get chunkTokens(): number {
    return Math.max(
      chunkTokensMin,
      (this.told.limits.batchTokens ?? unknownBatchTokens) - this.decodes,
    )
  }

  /** A step when all that is there decodes, and one more with it. */
  fullStepMs(promptTokens: number): number {
    return this.speed.decodeMs(
      this.inFlight + this.otherRequests + 1,
      this.takenTokens + promptTokens,
    )
  }

  /** A step as they are now, without prompts. */
  stepMs(): number {
    return this.speed.decodeMs(this.decodes, this.context)
  }

  /** Prompts of so many tokens, in chunks, beside what decodes now. */
  prefillMs(tokens: number, pairs: number): number {
    const decodes = this.decodes
    const chunk = this.chunkTokens
    const full = Math.floor(tokens / chunk)
    const rest = tokens - full * chunk
    let ms = this.speed.pairsMs(pairs)
    if (full > 0) ms += full * this.speed.chunkMs(decodes, chunk)
    if (rest > 0) ms += this.speed.chunkMs(decodes, rest)
    return ms + Math.ceil(tokens / chunk) * this.stepMs()
  }

  /** What a prompt takes when nothing else is there. */
  aloneMs(newTokens: number, pairs: number): number {
    const chunk = this.told.limits.batchTokens ?? unknownBatchTokens
    const full = Math.floor(newTokens / chunk)
    const rest = newTokens - full * chunk
    let ms = this.speed.pairsMs(pairs) + Math.ceil(newTokens / chunk) * this.speed.decodeMs(0, 0)
    if (full > 0) ms += full * this.speed.chunkMs(0, chunk)
    if (rest > 0) ms += this.speed.chunkMs(0, rest)
    return ms
  }

  /** What is left of the prompts that were sent before. */
  pendingMs(nowMs: number): number {
    if (this.#prefills === 0) return 0
    const head = this.prefilling[0] as Stream
    const headMs = this.prefillMs(head.newTokens, head.pairs)
    const doneMs = Math.min(nowMs - this.#headSinceMs, headDoneRatioMax * headMs)
    return this.prefillMs(this.prefillTokens, this.prefillPairs) - doneMs
  }

  /** What a prompt adds to that. */
  addedMs(newTokens: number, pairs: number): number {
    if (this.#prefills === 0) return this.prefillMs(newTokens, pairs)
    return (
      this.prefillMs(this.prefillTokens + newTokens, this.prefillPairs + pairs) -
      this.prefillMs(this.prefillTokens, this.prefillPairs)
    )
  }

  /** Until the step ends that is under way now; half of it, as nobody knows when it began. */
  currentMs(): number {
    if (this.#prefills > 0) {
      const chunk = Math.min(this.chunkTokens, this.prefillTokens)
      return (this.stepMs() + this.speed.chunkMs(this.decodes, chunk)) / 2
    }
    return this.decodes > 0 ? this.stepMs() / 2 : 0
  }

  /** Whether it owes an answer for so long that it may have stopped. */
  isSilent(nowMs: number): boolean {
    if (this.#heard === 0) return false
    const silentMs = nowMs - this.#progressAtMs
    if (silentMs < silenceMsMin) return false
    const head = this.prefilling[0]
    // All of it, not what is left: an engine that computes a long prompt says nothing until its end.
    const headMs = head === undefined ? 0 : this.prefillMs(head.newTokens, head.pairs)
    return silentMs > Math.max(silenceSteps * this.stepMs(), silencePrompts * headMs)
  }

  begin(stream: Stream, nowMs: number): void {
    this.inFlight++
    if (stream.request.streams) {
      if (this.#heard === 0) this.#progressAtMs = nowMs
      this.#heard++
    }
    if (this.#prefills === 0) this.#headSinceMs = nowMs
    this.#decodesOnlySinceMs = Number.POSITIVE_INFINITY
    this.prefilling.push(stream)
    this.#prefills++
    this.promptTokens += stream.request.promptTokens
    this.answerTokens += stream.expectedTokens
    this.prefillTokens += stream.newTokens
    this.prefillPairs += stream.pairs
  }

  firstToken(stream: Stream, nowMs: number): void {
    this.#progressAtMs = nowMs
    const tookMs = nowMs - stream.sentAtMs
    const { predictedTtftMs, besideRequests, besideTokens } = stream
    if (this.speed.isKnown && !stream.overtaken) {
      this.#room.learn({
        requests: besideRequests,
        tokens: besideTokens,
        promptTokens: stream.request.promptTokens,
        tookMs,
        predictedMs: predictedTtftMs,
      })
    }
    this.speed.learnPrefill(tookMs, predictedTtftMs, stream.prefillShare)
    this.#endPrefill(stream, nowMs)
    stream.started = true
    stream.firstAtMs = nowMs
    stream.lastAtMs = nowMs
    stream.tokens = 1
    stream.place = this.decoding.length
    this.decoding.push(stream)
    this.#ownDecodes++
    this.contextTokens += stream.request.promptTokens + 1
  }

  tokens(stream: Stream, count: number, nowMs: number): void {
    // One stream speaks for all: they are in the same steps.
    if (
      stream.place === 0 &&
      stream.lastAtMs >= this.#decodesOnlySinceMs &&
      nowMs > stream.lastAtMs
    ) {
      this.speed.learnDecode((nowMs - stream.lastAtMs) / count, this.stepMs())
    }
    this.#progressAtMs = nowMs
    stream.tokens += count
    stream.lastAtMs = nowMs
    this.contextTokens += count
  }

  /**
   * Prompts of answers in one piece are thought to be done when they should be, and their answers
   * to be half written from then on.
   */
  advance(nowMs: number): void {
    while (this.#prefills > 0) {
      const head = this.prefilling[0] as Stream
      if (head.request.streams) return
      if (nowMs - this.#headSinceMs < this.prefillMs(head.newTokens, head.pairs)) return
      this.#endPrefill(head, nowMs)
      head.started = true
      head.tokens = Math.round(head.expectedTokens / 2)
      this.#unheard.add(head)
      this.#ownDecodes++
      this.contextTokens += head.request.promptTokens + head.tokens
    }
  }

  /** `answerTokens` as the engine counted them; null where it did not, or did not answer. */
  end(stream: Stream, answerTokens: number | null, nowMs: number): void {
    this.inFlight--
    // Sums of fractions leave a rest.
    this.answerTokens = this.inFlight === 0 ? 0 : this.answerTokens - stream.expectedTokens
    if (stream.request.streams) {
      this.#heard--
      this.#progressAtMs = nowMs
    } else if (answerTokens !== null) {
      const stepMs = (stream.predictedTpotMs + this.stepMs()) / 2
      this.speed.learnWhole(
        nowMs - stream.sentAtMs,
        stream.predictedTtftMs + Math.max(0, answerTokens - 1) * stepMs,
      )
    }
    if (!stream.started) {
      this.#endPrefill(stream, nowMs)
      return
    }
    this.#ownDecodes--
    if (this.#unheard.delete(stream)) {
      this.contextTokens -= stream.request.promptTokens + stream.tokens
      return
    }
    const last = this.decoding.pop() as Stream
    if (last !== stream) {
      this.decoding[stream.place] = last
      last.place = stream.place
    }
    this.contextTokens -= stream.request.promptTokens + stream.tokens
  }

  beginWork(request: DispatchRequest, nowMs: number): Job {
    this.inFlight++
    return this.work.begin(request, nowMs)
  }

  endWork(job: Job, answered: boolean, nowMs: number): void {
    this.inFlight--
    this.work.end(job, answered, nowMs)
  }

  /** What the engine counts beyond what was sent there from here, others have sent. */
  report(load: EndpointLoad): void {
    if (load.runningRequests !== null) {
      const all = load.runningRequests + (load.waitingRequests ?? 0)
      this.otherRequests = ewma(this.otherRequests, Math.max(0, all - this.inFlight), reportWeight)
    }
    const { kvTokens } = this.told.limits
    if (load.kvCacheUsageRatio !== null && kvTokens !== null) {
      const own = this.contextTokens + this.promptTokens
      this.otherTokens = ewma(
        this.otherTokens,
        Math.max(0, load.kvCacheUsageRatio * kvTokens - own),
        reportWeight,
      )
    }
  }

  /** The engine is gone, and what others sent it. */
  forgetOthers(): void {
    this.otherRequests = 0
    this.otherTokens = 0
  }

  #endPrefill(stream: Stream, nowMs: number): void {
    const at = this.prefilling.indexOf(stream)
    for (let before = 0; before < at; before++) this.prefilling[before]!.overtaken = true
    this.prefilling.splice(at, 1)
    this.#prefills--
    this.promptTokens -= stream.request.promptTokens
    this.prefillTokens -= stream.newTokens
    this.prefillPairs -= stream.pairs
    if (at === 0) this.#headSinceMs = nowMs
    if (this.#prefills === 0) this.#decodesOnlySinceMs = nowMs
  }
}
