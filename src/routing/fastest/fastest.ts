/**
 * `fastest`: requests wait in the gateway, in a line for each model, until an endpoint is predicted
 * to serve them in time, and go to the one that is predicted to be done first.
 *
 *   arrival ──▶ live, by deadline ──fits somewhere──▶ the earliest predicted end
 *                 │ time is over
 *                 ▼
 *               late ──its turn (a small share), or room nobody wants──▶ the same
 *                 │ waited too long
 *                 ▼
 *               refused
 *
 * An event only makes the endpoint that it came from worth another look: the others were found
 * too busy at their own last event, and time alone does not change that.
 */
import type { EndpointLoad } from '#core/endpoint.ts'
import type { EndpointId, RequestId } from '#core/ids.ts'
import type { DecisionRecord } from '#routing/decision.ts'
import type {
  Dispatch,
  DispatchCounts,
  DispatchEndpoint,
  Dispatcher,
  DispatcherOptions,
  DispatchOutcome,
  DispatchRequest,
} from '#routing/dispatcher.ts'
import { Choice } from '#routing/fastest/choice.ts'
import type { EndpointGroup } from '#routing/fastest/endpoint-group.ts'
import { EndpointGroups } from '#routing/fastest/endpoint-groups.ts'
import { EndpointModel } from '#routing/fastest/endpoint-model.ts'
import { mightHaveTaken, predictionRecord, worthTelling } from '#routing/fastest/explain.ts'
import { isTooSlow, type Judgement, lossLimit, type Urgency } from '#routing/fastest/judge.ts'
import { OutputLengths } from '#routing/fastest/output-lengths.ts'
import type { Stream } from '#routing/fastest/stream.ts'
import { defaultTuning, type FastestTuning } from '#routing/fastest/tuning.ts'
import { usualCostMs } from '#routing/fastest/usual-cost.ts'
import type { Waiting } from '#routing/fastest/waiting-line.ts'
import { WaitingRoom } from '#routing/fastest/waiting-room.ts'
import type { Job } from '#routing/fastest/work-ledger.ts'
import type { Refusal, RouteRequest } from '#routing/filter.ts'
import { PrefixIndex } from '#routing/prefix-index.ts'
import { firstRefusal, isPassing, routeRequest, whyNone } from '#routing/route.ts'
import { ChurnMap } from '#std/churn.ts'
import { ewma } from '#std/ewma.ts'

/** While requests wait, predictions are looked at again at least this often. */
const wakeEveryMs = 50
/** How often late requests are looked through for those that waited too long. */
const capCheckMs = 500
/** One prompt moves the mean by a hundredth. */
const meanPromptWeight = 0.01
/** What an engine of unknown size may hold of prefixes, tokens: that of a large GPU. */
const unknownKvTokens = 500_000

interface Sent extends Stream {
  readonly endpoint: EndpointModel
}

export class Fastest implements Dispatcher {
  readonly name = 'fastest'
  readonly #tuning: FastestTuning
  readonly #chance: () => number
  readonly #explain: boolean
  readonly #endpoints = new Map<EndpointId, EndpointModel>()
  readonly #groups = new EndpointGroups()
  readonly #room: WaitingRoom
  readonly #sent = new ChurnMap<RequestId, Sent>()
  /** Work that is not counted in tokens. */
  readonly #jobs = new ChurnMap<RequestId, { readonly model: EndpointModel; readonly job: Job }>()
  readonly #lengths = new OutputLengths()
  readonly #prefixes = new PrefixIndex()
  /** Endpoints to look at again. */
  readonly #touched = new Set<EndpointModel>()
  readonly #choice: Choice
  #nextCapCheckMs = 0
  #meanPromptTokens = 1_000

  constructor({ chance, explain }: DispatcherOptions, tuning: Partial<FastestTuning> = {}) {
    this.#chance = chance
    this.#explain = explain
    this.#tuning = { ...defaultTuning, ...tuning }
    this.#room = new WaitingRoom(this.#tuning.lateShare)
    this.#choice = new Choice(chance, this.#tuning.hold)
  }

  get waiting(): number {
    return this.#room.size
  }

  endpoints(endpoints: readonly DispatchEndpoint[], nowMs: number): void {
    const names = new Set(endpoints.map(({ view }) => view.id))
    // What users write is relative: only what it is to the others says something of a speed.
    const meanWeight =
      endpoints.reduce((sum, { view }) => sum + view.weight, 0) / Math.max(1, endpoints.length)
    for (const [id, model] of this.#endpoints) {
      if (names.has(id)) continue
      this.#endpoints.delete(id)
      this.#touched.delete(model)
      this.#prefixes.forget(id)
    }
    for (const told of endpoints) {
      const { id, state } = told.view
      const known = this.#endpoints.get(id)
      if (known === undefined)
        this.#endpoints.set(
          id,
          new EndpointModel(told, told.view.weight / meanWeight, this.#tuning.learn),
        )
      else known.tell(told)
      // What starts anew has nothing in its cache.
      if (state === 'failed' || state === 'loading') this.#prefixes.forget(id)
    }
    this.#groups.clear()
    this.#room.refresh()
    this.#nextCapCheckMs = nowMs
  }

  arrive(request: DispatchRequest): void {
    const { ttftMs } = request.targets
    const lateAtMs =
      ttftMs === null || request.service === 'batch'
        ? Number.POSITIVE_INFINITY
        : request.arrivedAtMs + this.#tuning.ttftRatioMax * ttftMs
    this.#meanPromptTokens = ewma(this.#meanPromptTokens, request.promptTokens, meanPromptWeight)
    this.#room.add(request, lateAtMs)
  }

  leave(id: RequestId): void {
    this.#room.remove(id)
  }

  next(nowMs: number): Dispatch | null {
    const room = this.#room
    if (room.size === 0) {
      // Clearing an empty set takes longer than most of what else happens here.
      if (this.#touched.size > 0) this.#touched.clear()
      return null
    }
    room.expire(nowMs)
    const { liveWindow, lateWindow } = this.#tuning
    for (const { late, lateTurns } of room.lines) {
      const [first] = late
      if (first === undefined || !lateTurns.isDue) continue
      const dispatch = this.#try(first, 'late-turn', nowMs)
      if (dispatch === null) continue
      lateTurns.taken()
      return dispatch
    }
    for (const waiting of room.first('live', liveWindow)) {
      const urgency = waiting.request.service === 'batch' ? 'leftover' : 'live'
      const dispatch = this.#try(waiting, urgency, nowMs)
      if (dispatch === null) continue
      waiting.line.lateTurns.liveSent()
      return dispatch
    }
    for (const waiting of room.first('late', lateWindow)) {
      const dispatch = this.#try(waiting, 'leftover', nowMs)
      if (dispatch !== null) return dispatch
    }
    const refused = this.#refuseOld(nowMs)
    if (refused === null) this.#touched.clear()
    return refused
  }

  firstToken(id: RequestId, nowMs: number): void {
    const stream = this.#sent.get(id)
    if (stream === undefined || stream.started) return
    stream.endpoint.firstToken(stream, nowMs)
    this.#touch(stream.endpoint, nowMs)
  }

  tokens(id: RequestId, count: number, nowMs: number): void {
    const stream = this.#sent.get(id)
    if (stream === undefined) return
    if (!stream.started) this.firstToken(id, nowMs)
    stream.endpoint.tokens(stream, count, nowMs)
    if (this.#room.size > 0) this.#touched.add(stream.endpoint)
  }

  done(id: RequestId, outcome: DispatchOutcome, nowMs: number): void {
    const work = this.#jobs.get(id)
    if (work !== undefined) {
      this.#jobs.delete(id)
      work.model.endWork(work.job, outcome.kind === 'answered', nowMs)
      this.#touch(work.model, nowMs)
      return
    }
    const stream = this.#sent.get(id)
    if (stream === undefined) return
    this.#sent.delete(id)
    const isAnswered = outcome.kind === 'answered'
    stream.endpoint.end(stream, isAnswered ? outcome.tokens : null, nowMs)
    if (isAnswered && outcome.cachedTokens !== null) {
      const { endpoint, request, newTokens } = stream
      endpoint.prefixes.learn(request.promptTokens - newTokens, outcome.cachedTokens)
    }
    const tokens = outcome.tokens ?? (stream.request.streams ? stream.tokens : 0)
    if (isAnswered && tokens > 0) this.#lengths.add(stream.request, tokens)
    this.#touch(stream.endpoint, nowMs)
  }

  report(endpoint: EndpointId, load: EndpointLoad, nowMs: number): void {
    const model = this.#endpoints.get(endpoint)
    if (model === undefined) return
    model.report(load)
    this.#touch(model, nowMs)
  }

  wakeAtMs(nowMs: number): number | null {
    if (this.#room.size === 0) return null
    const nextLateMs = this.#room.nextLateAtMs
    return nextLateMs > nowMs ? Math.min(nowMs + wakeEveryMs, nextLateMs) : nowMs + wakeEveryMs
  }

  counts(endpoint: EndpointId): DispatchCounts | null {
    const model = this.#endpoints.get(endpoint)
    if (model === undefined) return null
    const { inFlight, prefillTokens, contextTokens, promptTokens } = model
    return { inFlight, prefillTokens, contextTokens: contextTokens + promptTokens }
  }

  /** Something happened there: waiting requests may fit now, or fit better elsewhere. */
  #touch(model: EndpointModel, nowMs: number): void {
    if (!this.#endpoints.has(model.id)) return
    if (this.#room.size > 0) this.#touched.add(model)
    this.#groups.moved(model, () => this.#usualCostMs(model, nowMs))
  }

  #usualCostMs(model: EndpointModel, nowMs: number): number {
    const usual = { promptTokens: this.#meanPromptTokens, answerTokens: this.#lengths.usualMean }
    return usualCostMs(model, usual, { nowMs, ttftWorth: this.#tuning.ttftWorth })
  }

  #groupOf(request: DispatchRequest, nowMs: number): EndpointGroup {
    return this.#groups.of(request, this.#endpoints.values(), (model) =>
      this.#usualCostMs(model, nowMs),
    )
  }

  /** Sends it if an endpoint that is worth a look may take it. */
  #try(waiting: Waiting, urgency: Urgency, nowMs: number): Dispatch | null {
    const { request } = waiting
    if (!waiting.fresh && this.#touched.size === 0) return null
    const { fresh } = waiting
    waiting.fresh = false
    const asked = routeRequest(request, nowMs)
    const group = this.#groupOf(request, nowMs)
    const candidates = fresh
      ? group.candidates(request, asked, this.#prefixes, this.#chance)
      : this.#touched
    const isHeld = this.#prefixes.isHeld(request.prefixBlocks)
    const facts = this.#factsOf(waiting, urgency, nowMs)
    const lossMax = this.#lossMax(waiting, urgency, nowMs)
    const choice = this.#choice
    choice.clear()
    let mayWait = false
    const compare = (models: Iterable<EndpointModel>): void => {
      for (const model of models) {
        if (!fresh && !model.told.serves(request.model, request.task)) continue
        if (firstRefusal(asked, model.told.view) !== null) continue
        mayWait = true
        if (model.isSilent(nowMs)) continue
        facts.heldTokens = isHeld ? this.#heldTokens(model, request) : 0
        choice.compare(model, request, facts, lossMax)
      }
    }
    compare(candidates)
    if (choice.best === null && fresh) compare(group.more(asked, this.#chance))
    const { best, judgement } = choice
    if (best !== null) return this.#send(waiting, best, judgement, urgency, nowMs)
    if (!fresh) return null
    if (!mayWait) return this.#refuseIfHopeless(waiting, asked, nowMs)
    if (urgency === 'live') this.#giveUpIfTooSlow(waiting, candidates, nowMs)
    return null
  }

  /** All that is judged by beside the endpoint; what it holds of the prompt is for each to say. */
  #factsOf({ request, line }: Waiting, urgency: Urgency, nowMs: number) {
    const group = this.#groupOf(request, nowMs)
    return {
      heldTokens: 0,
      expectedTokens: this.#lengths.mean(request),
      urgency,
      isAlone: line.size === 1,
      isOnly: group.all.length === 1,
      kvTokensMax: group.kvTokensMax,
      nowMs,
      tuning: this.#tuning,
    }
  }

  #lossMax({ request, line }: Waiting, urgency: Urgency, nowMs: number): number {
    const overloaded = line.late.length > 0
    return overloaded ? this.#tuning.lossMax : lossLimit(request, urgency, nowMs, this.#tuning)
  }

  #heldTokens(model: EndpointModel, request: DispatchRequest): number {
    const { prefixBlocks, prefixBlockTokens, promptTokens } = request
    if (prefixBlocks.length === 0 || !model.prefixes.holds) return 0
    const held = this.#prefixes.held(model.id, prefixBlocks) * prefixBlockTokens
    return Math.min(promptTokens - 1, held)
  }

  #send(
    waiting: Waiting,
    model: EndpointModel,
    { newTokens, pairs, ttftMs, tpotMs }: Judgement,
    urgency: Urgency,
    nowMs: number,
  ): Dispatch {
    const { request } = waiting
    const record = this.#explain ? this.#record(waiting, model, urgency, nowMs) : null
    if (request.workUnits !== null) {
      this.#room.send(waiting)
      this.#jobs.set(request.id, { model, job: model.beginWork(request, nowMs) })
      this.#touch(model, nowMs)
      return { kind: 'send', request, endpoint: model.id, record }
    }
    const promptMs = model.prefillMs(newTokens, pairs)
    const stream: Sent = {
      request,
      endpoint: model,
      sentAtMs: nowMs,
      newTokens,
      pairs,
      expectedTokens: this.#lengths.mean(request),
      predictedTtftMs: ttftMs,
      predictedTpotMs: tpotMs,
      prefillShare: promptMs === 0 ? 0 : 1 - Math.min(1, model.stepMs() / promptMs),
      besideRequests: model.inFlight,
      besideTokens: model.takenTokens,
      targetMs: request.targets.tpotMs ?? Number.POSITIVE_INFINITY,
      overtaken: false,
      started: false,
      firstAtMs: 0,
      lastAtMs: nowMs,
      tokens: 0,
      place: -1,
    }
    if (waiting.late) waiting.line.lateTurns.lateSent(nowMs)
    this.#room.send(waiting)
    this.#sent.set(request.id, stream)
    model.begin(stream, nowMs)
    if (request.prefixBlocks.length > 0) {
      const kvTokens = model.told.limits.kvTokens ?? unknownKvTokens
      this.#prefixes.add(
        model.id,
        request.prefixBlocks,
        Math.ceil(kvTokens / request.prefixBlockTokens),
      )
    }
    this.#touch(model, nowMs)
    return { kind: 'send', request, endpoint: model.id, record }
  }

  /** Nobody can take it, and waiting would not help: refuses it. */
  #refuseIfHopeless(waiting: Waiting, asked: RouteRequest, nowMs: number): Dispatch | null {
    const { request } = waiting
    const refusals: Refusal[] = []
    for (const { told } of this.#groupOf(request, nowMs).all) {
      const refusal = firstRefusal(asked, told.view)
      if (refusal === null || isPassing(refusal)) return null
      refusals.push(refusal)
    }
    const because = whyNone(refusals)
    if (because === null) return null
    this.#room.remove(request.id)
    return { kind: 'reject', request, because, record: null }
  }

  /** A prompt that no endpoint could read in time is late from the start. */
  #giveUpIfTooSlow(waiting: Waiting, candidates: Iterable<EndpointModel>, nowMs: number): void {
    const { request } = waiting
    if (!this.#groupOf(request, nowMs).isSmall) return
    for (const model of candidates) {
      if (!isTooSlow(model, request, this.#heldTokens(model, request), nowMs)) return
    }
    waiting.line.giveUp(waiting)
  }

  /** Late requests that waited as long as they may. */
  #refuseOld(nowMs: number): Dispatch | null {
    if (nowMs < this.#nextCapCheckMs) return null
    for (const line of this.#room.lines) {
      const old = line.late.find((waiting) => this.#isOld(waiting, nowMs))
      if (old === undefined) continue
      const { request } = old
      this.#room.remove(request.id)
      const retryAfterMs = line.lateTurns.retryAfterMs(line.late.length)
      const because = { kind: 'overload', retryAfterMs } as const
      const record = this.#explain ? this.#refusalRecord(old, nowMs) : null
      return { kind: 'reject', request, because, record }
    }
    this.#nextCapCheckMs = nowMs + capCheckMs
    return null
  }

  #isOld({ request: { arrivedAtMs, targets } }: Waiting, nowMs: number): boolean {
    const targetMs = targets.ttftMs ?? Number.POSITIVE_INFINITY
    return nowMs - arrivedAtMs >= this.#tuning.lateCapRatio * targetMs
  }

  #record(
    waiting: Waiting,
    chosen: EndpointModel,
    urgency: Urgency,
    nowMs: number,
  ): DecisionRecord {
    const told = worthTelling(this.#groupOf(waiting.request, nowMs), chosen)
    return this.#recordOf(told, waiting, chosen, urgency, nowMs)
  }

  #refusalRecord(waiting: Waiting, nowMs: number): DecisionRecord {
    const { request } = waiting
    const told = mightHaveTaken(this.#groupOf(request, nowMs), request)
    return this.#recordOf(told, waiting, null, 'leftover', nowMs)
  }

  #recordOf(
    told: readonly EndpointModel[],
    waiting: Waiting,
    chosen: EndpointModel | null,
    urgency: Urgency,
    nowMs: number,
  ): DecisionRecord {
    const { request } = waiting
    const group = this.#groupOf(request, nowMs)
    const facts = this.#factsOf(waiting, urgency, nowMs)
    return predictionRecord(told, {
      request,
      chosen,
      nowMs,
      lossMax: this.#lossMax(waiting, urgency, nowMs),
      leftOut: group.all.length - told.length,
      facts: (model) => {
        facts.heldTokens = this.#heldTokens(model, request)
        return facts
      },
    })
  }
}
