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
import type { EndpointModel } from '#routing/fastest/endpoint-model.ts'
import { decisionRecord, refusalRecord } from '#routing/fastest/explain.ts'
import { isTooSlow, type Judgement, type Urgency } from '#routing/fastest/judge.ts'
import { Outlook } from '#routing/fastest/outlook.ts'
import type { Stream } from '#routing/fastest/stream.ts'
import { defaultTuning, type FastestTuning } from '#routing/fastest/tuning.ts'
import type { Waiting } from '#routing/fastest/waiting-line.ts'
import { isKept, WaitingRoom } from '#routing/fastest/waiting-room.ts'
import type { Job } from '#routing/fastest/work-ledger.ts'
import type { Refusal, RouteRequest } from '#routing/filter.ts'
import { firstRefusal, isPassing, routeRequest, whyNone } from '#routing/route.ts'
import { ChurnMap } from '#std/churn.ts'

/** While requests wait, predictions are looked at again at least this often. */
const wakeEveryMs = 50
/** How often late requests are looked through for those that waited too long. */
const capCheckMs = 500

interface Sent extends Stream {
  readonly endpoint: EndpointModel
}

export class Fastest implements Dispatcher {
  readonly name = 'fastest'
  readonly #tuning: FastestTuning
  readonly #chance: () => number
  readonly #explain: boolean
  readonly #outlook: Outlook
  readonly #room: WaitingRoom
  readonly #sent = new ChurnMap<RequestId, Sent>()
  /** Work that is not counted in tokens. */
  readonly #jobs = new ChurnMap<RequestId, { readonly model: EndpointModel; readonly job: Job }>()
  /** Endpoints to look at again. */
  readonly #touched = new Set<EndpointModel>()
  /** Until when those rest that were passed over for it: no event tells that it is over. */
  readonly #coolingUntilMs = new Map<EndpointModel, number>()
  readonly #choice: Choice
  #nextCapCheckMs = 0

  constructor({ chance, explain }: DispatcherOptions, tuning: Partial<FastestTuning> = {}) {
    this.#chance = chance
    this.#explain = explain
    this.#tuning = { ...defaultTuning, ...tuning }
    this.#outlook = new Outlook(this.#tuning)
    this.#room = new WaitingRoom(this.#tuning.lateShare, (waiting) => this.#hasWhere(waiting))
    this.#choice = new Choice(chance, this.#tuning.hold)
  }

  get waiting(): number {
    return this.#room.size
  }

  endpoints(endpoints: readonly DispatchEndpoint[], nowMs: number): void {
    this.#outlook.tell(endpoints)
    for (const model of this.#touched) if (!this.#isThere(model)) this.#touched.delete(model)
    // Everybody is compared with everything again, and finds those that rest.
    this.#coolingUntilMs.clear()
    this.#room.refresh()
    this.#nextCapCheckMs = nowMs
  }

  arrive(request: DispatchRequest): void {
    const { ttftMs } = request.targets
    const lateAtMs =
      ttftMs === null || request.service === 'batch'
        ? Number.POSITIVE_INFINITY
        : request.arrivedAtMs + this.#tuning.ttftRatioMax * ttftMs
    this.#outlook.notePrompt(request.promptTokens)
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
    if (this.#coolingUntilMs.size > 0) this.#touchCooled(nowMs)
    const { liveWindow, lateWindow } = this.#tuning
    for (const line of room.lines) {
      if (!line.lateTurns.isDue) continue
      const first = room.nextLate(line)
      const dispatch = first === undefined ? null : this.#try(first, 'late-turn', nowMs)
      if (dispatch === null) continue
      line.lateTurns.taken()
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
    if (this.#room.size > 0 && this.#isThere(stream.endpoint)) this.#touched.add(stream.endpoint)
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
    if (isAnswered && tokens > 0) this.#outlook.lengths.add(stream.request, tokens)
    this.#touch(stream.endpoint, nowMs)
  }

  report(endpoint: EndpointId, load: EndpointLoad, nowMs: number): void {
    const model = this.#outlook.endpoint(endpoint)
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
    const model = this.#outlook.endpoint(endpoint)
    if (model === undefined) return null
    const { inFlight, prefillTokens, contextTokens, promptTokens } = model
    return { inFlight, prefillTokens, contextTokens: contextTokens + promptTokens }
  }

  /** Something happened there: waiting requests may fit now, or fit better elsewhere. */
  #touch(model: EndpointModel, nowMs: number): void {
    if (!this.#isThere(model)) return
    if (this.#room.size > 0) this.#touched.add(model)
    this.#outlook.noteMoved(model, nowMs)
  }

  /** It rests for one model or for several; the first of them that may go on is worth a look. */
  #noteCooling(model: EndpointModel, untilMs: number): void {
    const knownMs = this.#coolingUntilMs.get(model) ?? Number.POSITIVE_INFINITY
    this.#coolingUntilMs.set(model, Math.min(knownMs, untilMs))
  }

  #touchCooled(nowMs: number): void {
    for (const [model, untilMs] of this.#coolingUntilMs) {
      if (untilMs > nowMs) continue
      this.#coolingUntilMs.delete(model)
      this.#touch(model, nowMs)
    }
  }

  /**
   * Whether one of those that it was not compared with yet, or that something happened at, may take
   * it: who was tried elsewhere, or is kept by rules to what is full, holds up nobody behind it.
   */
  #hasWhere(waiting: Waiting): boolean {
    if (waiting.fresh || !isKept(waiting)) return true
    const { excluded, constraint } = waiting.request
    for (const { id } of this.#touched) {
      if (!excluded.includes(id) && (constraint?.refuse(id) ?? null) === null) return true
    }
    return false
  }

  #isThere(model: EndpointModel): boolean {
    return this.#outlook.endpoint(model.id) === model
  }

  /** Sends it if an endpoint that is worth a look may take it. */
  #try(waiting: Waiting, urgency: Urgency, nowMs: number): Dispatch | null {
    const { request } = waiting
    if (!waiting.fresh && this.#touched.size === 0) return null
    const { fresh } = waiting
    waiting.fresh = false
    const asked = routeRequest(request, nowMs)
    const group = this.#outlook.group(request, nowMs)
    const candidates = fresh
      ? group.candidates(request, asked, this.#outlook.prefixes, this.#chance)
      : this.#touched
    const isHeld = this.#outlook.prefixes.isHeld(request.prefixBlocks)
    const facts = this.#outlook.facts(waiting, urgency, nowMs)
    const lossMax = this.#outlook.lossMax(waiting, urgency, nowMs)
    const choice = this.#choice
    choice.clear()
    let mayWait = false
    const compare = (models: Iterable<EndpointModel>): void => {
      for (const model of models) {
        if (!fresh && !model.told.serves(request.model, request.task)) continue
        const refusal = firstRefusal(asked, model.told.view)
        if (refusal !== null) {
          if (refusal.kind === 'cooling') this.#noteCooling(model, refusal.untilMs)
          continue
        }
        mayWait = true
        if (model.isSilent(nowMs)) continue
        facts.heldTokens = isHeld ? this.#outlook.heldTokens(model, request) : 0
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

  #send(
    waiting: Waiting,
    model: EndpointModel,
    { newTokens, pairs, ttftMs, tpotMs }: Judgement,
    urgency: Urgency,
    nowMs: number,
  ): Dispatch {
    const { request } = waiting
    const { explores } = this.#choice
    const record = this.#explain
      ? decisionRecord(this.#outlook, { waiting, chosen: model, explores, urgency, nowMs })
      : null
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
      expectedTokens: this.#outlook.lengths.mean(request),
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
    this.#outlook.noteSent(request, model)
    this.#touch(model, nowMs)
    return { kind: 'send', request, endpoint: model.id, record }
  }

  /** Nobody can take it, and waiting would not help: refuses it. */
  #refuseIfHopeless(waiting: Waiting, asked: RouteRequest, nowMs: number): Dispatch | null {
    const { request } = waiting
    const refusals: Refusal[] = []
    for (const { told } of this.#outlook.group(request, nowMs).all) {
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
    if (!this.#outlook.group(request, nowMs).isSmall) return
    for (const model of candidates) {
      if (!isTooSlow(model, request, this.#outlook.heldTokens(model, request), nowMs)) return
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
      const record = this.#explain ? refusalRecord(this.#outlook, old, nowMs) : null
      return { kind: 'reject', request, because, record }
    }
    this.#nextCapCheckMs = nowMs + capCheckMs
    return null
  }

  #isOld({ request: { arrivedAtMs, targets } }: Waiting, nowMs: number): boolean {
    const targetMs = targets.ttftMs ?? Number.POSITIVE_INFINITY
    return nowMs - arrivedAtMs >= this.#tuning.lateCapRatio * targetMs
  }
}
