/**
 * A policy as a dispatcher: a request is bound when it arrives, unless every endpoint that could
 * take it is at its limit. Then it waits in one queue, in the order of arrival, and is bound to
 * whichever endpoint has room first.
 */
import type { EndpointLoad, EndpointState, EndpointView } from '#core/endpoint.ts'
import type { EndpointId, ModelName, RequestId } from '#core/ids.ts'
import type { Task } from '#core/task.ts'
import { type DecisionRecord, explainedMax } from '#routing/decision.ts'
import type {
  Dispatch,
  DispatchCounts,
  DispatchEndpoint,
  Dispatcher,
  DispatcherOptions,
  DispatchOutcome,
  DispatchRequest,
  EndpointLimits,
} from '#routing/dispatcher.ts'
import { EndpointTable, tableMin } from '#routing/endpoint-table.ts'
import type { RouteRequest } from '#routing/filter.ts'
import type { Candidate, Policy } from '#routing/policy.ts'
import { firstRefusal, recordOf, route, routeRequest } from '#routing/route.ts'
import { ChurnMap } from '#std/churn.ts'
import { ewma } from '#std/ewma.ts'

/** One new TTFT moves the average by a fifth: about ten requests are remembered. */
const ttftWeight = 0.2

class Counted implements Candidate {
  #told: DispatchEndpoint
  /** What was sent there by this dispatcher. */
  sent = 0
  prefillTokens = 0
  contextTokens = 0
  turn = 0
  ttftMs: number | null = null
  load: EndpointLoad | null = null

  constructor(told: DispatchEndpoint) {
    this.#told = told
  }

  tell(told: DispatchEndpoint): void {
    this.#told = told
  }

  serves(model: ModelName, task: Task): boolean {
    return this.#told.serves(model, task)
  }

  get id(): EndpointId {
    return this.#told.view.id
  }
  /** A strategy that takes over finds requests there that it did not send. */
  get inFlight(): number {
    return Math.max(this.sent, this.#told.view.inFlight)
  }
  get state(): EndpointState {
    return this.#told.view.state
  }
  get weight(): number {
    return this.#told.view.weight
  }
  get slowStartRatio(): number {
    return this.#told.view.slowStartRatio
  }
  get maxInFlight(): number | null {
    return this.#told.view.maxInFlight
  }
  get probeInFlight(): boolean {
    return this.#told.view.probeInFlight
  }
  get coolingUntilMs(): EndpointView['coolingUntilMs'] {
    return this.#told.view.coolingUntilMs
  }
  get labels(): EndpointView['labels'] {
    return this.#told.view.labels
  }
  get limits(): EndpointLimits {
    return this.#told.limits
  }
}

/** Endpoints that serve a model; many of them lie in a table, too. */
interface Serving {
  readonly all: readonly Counted[]
  readonly table: EndpointTable<Counted> | null
}

interface Sent {
  readonly request: DispatchRequest
  readonly endpoint: Counted
  tokens: number
  started: boolean
}

export class QueuedDispatcher implements Dispatcher {
  readonly name: string
  readonly #policy: Policy
  readonly #chance: () => number
  readonly #explain: boolean
  readonly #endpoints = new Map<EndpointId, Counted>()
  /** By model and task. */
  readonly #serving = new Map<string, Serving>()
  readonly #tables: EndpointTable<Counted>[] = []
  readonly #waiting = new ChurnMap<RequestId, DispatchRequest>()
  readonly #sent = new ChurnMap<RequestId, Sent>()
  /** Requests that found no room since room was last made. */
  readonly #stuck = new Set<RequestId>()
  /** Groups of requests whose oldest found no room: none behind it would. */
  readonly #full = new Set<string>()

  constructor(policy: Policy, { chance, explain }: DispatcherOptions) {
    this.name = policy.name
    this.#policy = policy
    this.#chance = chance
    this.#explain = explain
  }

  get waiting(): number {
    return this.#waiting.size
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
      if (known === undefined) this.#endpoints.set(told.view.id, new Counted(told))
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
    this.#waiting.set(request.id, request)
  }

  leave(id: RequestId): void {
    if (this.#waiting.delete(id)) this.#roomMade()
  }

  next(nowMs: number): Dispatch | null {
    for (const request of this.#waiting.values()) {
      const group = groupOf(request)
      if (group === null ? this.#stuck.has(request.id) : this.#full.has(group)) continue
      const dispatch = this.#look(request, nowMs)
      if (dispatch !== null) return dispatch
      if (group === null) this.#stuck.add(request.id)
      else this.#full.add(group)
    }
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

  wakeAtMs(nowMs: number): number | null {
    if (this.#waiting.size === 0) return null
    let wakeAtMs = Number.POSITIVE_INFINITY
    for (const { coolingUntilMs } of this.#endpoints.values()) {
      for (const untilMs of coolingUntilMs.values()) {
        if (untilMs > nowMs) wakeAtMs = Math.min(wakeAtMs, untilMs)
      }
    }
    return wakeAtMs === Number.POSITIVE_INFINITY ? null : wakeAtMs
  }

  counts(endpoint: EndpointId): DispatchCounts | null {
    return this.#endpoints.get(endpoint) ?? null
  }

  #roomMade(): void {
    // Clearing an empty set takes longer than most of what else happens here.
    if (this.#full.size > 0) this.#full.clear()
    if (this.#stuck.size > 0) this.#stuck.clear()
  }

  #changed(endpoint: Counted): void {
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
      this.#waiting.delete(request.id)
      return { kind: 'reject', request, because: decision.because, record: null }
    }
    return this.#send(request, decision.endpoint, decision.record)
  }

  /** Null where all have to be asked one by one. */
  #pickFrom(table: EndpointTable<Counted>, asked: RouteRequest, nowMs: number): Counted | null {
    table.refreshSome()
    if (asked.constraint !== null) return null
    const place = this.#policy.pickPlace?.(table, { nowMs, chance: this.#chance }) ?? -1
    const endpoint = table.all[place]
    if (endpoint === undefined || firstRefusal(asked, endpoint) !== null) return null
    return endpoint
  }

  /** Of a large group, a record of the one that was chosen and of its neighbours. */
  #briefly(all: readonly Counted[], chosen: Counted, asked: RouteRequest): DecisionRecord {
    const from = Math.min(all.indexOf(chosen), all.length - explainedMax)
    const told = all.slice(from, from + explainedMax)
    const refusals = told.map((endpoint) => firstRefusal(asked, endpoint))
    const eligible = told.filter((_endpoint, at) => refusals[at] === null)
    const pick = { chosen: eligible.indexOf(chosen), scores: [] }
    const record = recordOf(asked, told, refusals, this.#policy, pick)
    return { ...record, leftOut: all.length - told.length }
  }

  #send(request: DispatchRequest, endpoint: Counted, record: DecisionRecord | null): Dispatch {
    this.#waiting.delete(request.id)
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

/** Requests of one group may use the same endpoints; null for one that stands for itself. */
function groupOf({ model, task, excluded, constraint }: DispatchRequest): string | null {
  if (excluded.length > 0) return null
  return `${task} ${model} ${constraint?.group ?? ''}`
}
