/**
 * A policy as a dispatcher: a request is bound when it arrives, unless every endpoint that could
 * take it is at its limit. Then it waits in one queue, in the order of arrival, and is bound to
 * whichever endpoint has room first.
 */
import { coolsUntilMs, type EndpointLoad } from '#core/endpoint.ts'
import type { EndpointId, RequestId } from '#core/ids.ts'
import { ArrivalQueue } from '#routing/arrival-queue.ts'
import { CountedEndpoint } from '#routing/counted-endpoint.ts'
import { type DecisionRecord, explainedMax } from '#routing/decision.ts'
import type {
  Dispatch,
  DispatchCounts,
  DispatchEndpoint,
  Dispatcher,
  DispatcherOptions,
  DispatchOutcome,
  DispatchRequest,
} from '#routing/dispatcher.ts'
import { EndpointTable, tableMin } from '#routing/endpoint-table.ts'
import type { RouteRequest } from '#routing/filter.ts'
import type { Policy } from '#routing/policy.ts'
import { firstRefusal, recordOf, route, routeRequest } from '#routing/route.ts'
import { ChurnMap } from '#std/churn.ts'
import { ewma } from '#std/ewma.ts'

/** One new TTFT moves the average by a fifth: about ten requests are remembered. */
const ttftWeight = 0.2

/** Endpoints that serve a model; many of them lie in a table, too. */
interface Serving {
  readonly all: readonly CountedEndpoint[]
  readonly table: EndpointTable<CountedEndpoint> | null
}

interface Sent {
  readonly request: DispatchRequest
  readonly endpoint: CountedEndpoint
  tokens: number
  started: boolean
}

export class QueuedDispatcher implements Dispatcher {
  readonly name: string
  readonly #policy: Policy
  readonly #chance: () => number
  readonly #explain: boolean
  readonly #endpoints = new Map<EndpointId, CountedEndpoint>()
  /** By model and task. */
  readonly #serving = new Map<string, Serving>()
  readonly #tables: EndpointTable<CountedEndpoint>[] = []
  readonly #queue = new ArrivalQueue()
  readonly #sent = new ChurnMap<RequestId, Sent>()
  /** When one that rests after a 429 may be looked at again: no event tells that. */
  #coolingUntilMs = Number.POSITIVE_INFINITY

  constructor(policy: Policy, { chance, explain }: DispatcherOptions) {
    this.name = policy.name
    this.#policy = policy
    this.#chance = chance
    this.#explain = explain
  }

  get waiting(): number {
    return this.#queue.size
  }

  endpoints(endpoints: readonly DispatchEndpoint[]): void {
    const names = new Set(endpoints.map(({ view }) => view.id))
    for (const id of this.#endpoints.keys()) {
      if (names.has(id)) continue
      this.#endpoints.delete(id)
      this.#policy.forget?.(id)
    }
    for (const told of endpoints) {
      const known = this.#endpoints.get(told.view.id)
      if (known === undefined) this.#endpoints.set(told.view.id, new CountedEndpoint(told))
      else known.tell(told)
      if (told.view.state === 'failed' || told.view.state === 'loading') {
        this.#policy.forget?.(told.view.id)
      }
    }
    this.#serving.clear()
    this.#tables.length = 0
    this.#roomMade()
  }

  arrive(request: DispatchRequest): void {
    this.#queue.add(request)
  }

  leave(id: RequestId): void {
    if (this.#queue.remove(id)) this.#roomMade()
  }

  next(nowMs: number): Dispatch | null {
    if (nowMs >= this.#coolingUntilMs) this.#roomMade()
    const queue = this.#queue
    for (const waiting of queue.toLookAt) {
      if (queue.hasNoRoom(waiting)) continue
      const dispatch = this.#look(waiting.request, nowMs)
      if (dispatch !== null) return dispatch
      queue.foundNoRoom(waiting)
      this.#noteCooling(waiting.request, nowMs)
    }
    queue.allLookedAt()
    return null
  }

  firstToken(id: RequestId, nowMs: number): void {
    const sent = this.#sent.get(id)
    if (sent === undefined || sent.started) return
    sent.started = true
    sent.endpoint.prefillTokens -= sent.request.promptTokens
    sent.endpoint.ttftMs = ewma(sent.endpoint.ttftMs, nowMs - sent.request.arrivedAtMs, ttftWeight)
    this.#changed(sent.endpoint)
    this.tokens(id, 1)
  }

  tokens(id: RequestId, count: number): void {
    const sent = this.#sent.get(id)
    if (sent === undefined) return
    sent.tokens += count
    sent.endpoint.contextTokens += count
  }

  done(id: RequestId, _outcome: DispatchOutcome): void {
    const sent = this.#sent.get(id)
    if (sent === undefined) return
    this.#sent.delete(id)
    const { endpoint, request } = sent
    endpoint.sent--
    endpoint.contextTokens -= request.promptTokens + sent.tokens
    if (!sent.started) endpoint.prefillTokens -= request.promptTokens
    this.#changed(endpoint)
    this.#roomMade()
  }

  report(endpoint: EndpointId, load: EndpointLoad): void {
    const known = this.#endpoints.get(endpoint)
    if (known !== undefined) known.load = load
  }

  wakeAtMs(): number | null {
    const isAwaited = this.#queue.size > 0 && this.#coolingUntilMs < Number.POSITIVE_INFINITY
    return isAwaited ? this.#coolingUntilMs : null
  }

  counts(endpoint: EndpointId): DispatchCounts | null {
    return this.#endpoints.get(endpoint) ?? null
  }

  #roomMade(): void {
    this.#queue.roomMade()
    this.#coolingUntilMs = Number.POSITIVE_INFINITY
  }

  #noteCooling(request: DispatchRequest, nowMs: number): void {
    for (const endpoint of this.#servingOf(request).all) {
      const untilMs = coolsUntilMs(endpoint, request.model)
      if (untilMs > nowMs) this.#coolingUntilMs = Math.min(this.#coolingUntilMs, untilMs)
    }
  }

  #changed(endpoint: CountedEndpoint): void {
    for (const table of this.#tables) table.changed(endpoint)
  }

  #look(request: DispatchRequest, nowMs: number): Dispatch | null {
    const asked = routeRequest(request, nowMs)
    const { all, table } = this.#servingOf(request)
    if (table !== null) {
      const endpoint = this.#pickFrom(table, asked, nowMs)
      if (endpoint !== null) {
        return this.#send(
          request,
          endpoint,
          this.#explain ? this.#briefly(all, endpoint, asked) : null,
        )
      }
    }
    const decision = route(
      asked,
      all,
      this.#policy,
      (candidates) => this.#policy.pick(candidates, request, { nowMs, chance: this.#chance }),
      this.#explain,
    )
    if (decision.kind === 'wait') return null
    if (decision.kind === 'refuse') {
      this.#queue.remove(request.id)
      return { kind: 'reject', request, because: decision.because, record: null }
    }
    return this.#send(request, decision.endpoint, decision.record)
  }

  /** Null where all have to be asked one by one. */
  #pickFrom(
    table: EndpointTable<CountedEndpoint>,
    asked: RouteRequest,
    nowMs: number,
  ): CountedEndpoint | null {
    table.refreshSome()
    if (asked.constraint !== null) return null
    const place = this.#policy.pickPlace?.(table, { nowMs, chance: this.#chance }) ?? -1
    const endpoint = table.all[place]
    if (endpoint === undefined || firstRefusal(asked, endpoint) !== null) return null
    return endpoint
  }

  /** Of a large group, a record of the one that was chosen and of its neighbours. */
  #briefly(
    all: readonly CountedEndpoint[],
    chosen: CountedEndpoint,
    asked: RouteRequest,
  ): DecisionRecord {
    const from = Math.min(all.indexOf(chosen), all.length - explainedMax)
    const told = all.slice(from, from + explainedMax)
    const refusals = told.map((endpoint) => firstRefusal(asked, endpoint))
    const eligible = told.filter((_endpoint, at) => refusals[at] === null)
    const pick = { chosen: eligible.indexOf(chosen), scores: [] }
    const record = recordOf(asked, told, refusals, this.#policy, pick)
    return { ...record, leftOut: all.length - told.length }
  }

  #send(
    request: DispatchRequest,
    endpoint: CountedEndpoint,
    record: DecisionRecord | null,
  ): Dispatch {
    this.#queue.remove(request.id)
    this.#sent.set(request.id, { request, endpoint, tokens: 0, started: false })
    endpoint.sent++
    endpoint.prefillTokens += request.promptTokens
    endpoint.contextTokens += request.promptTokens
    this.#policy.sent?.(endpoint, request)
    this.#changed(endpoint)
    return { kind: 'send', request, endpoint: endpoint.id, record }
  }

  #servingOf({ model, task }: DispatchRequest): Serving {
    const key = `${task} ${model}`
    let serving = this.#serving.get(key)
    if (serving === undefined) {
      const all = [...this.#endpoints.values()].filter((endpoint) => endpoint.serves(model, task))
      const isLarge = all.length >= tableMin && this.#policy.pickPlace !== undefined
      serving = { all, table: isLarge ? new EndpointTable(all) : null }
      if (serving.table !== null) this.#tables.push(serving.table)
      this.#serving.set(key, serving)
    }
    return serving
  }
}
