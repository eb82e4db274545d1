/**
 * Where the requests of a gateway meet its dispatcher: the same code that runs in the simulator,
 * driven by real events. The desk tells it everything that happens, obeys what it answers, and
 * keeps the promises of those who wait. It decides nothing itself.
 */
import type { EndpointLoad, EndpointState } from '#core/endpoint.ts'
import { type EndpointId, type ModelName, type RequestId, requestId } from '#core/ids.ts'
import type { Endpoint } from '#gateway/endpoint.ts'
import { EndpointOffer } from '#gateway/endpoint-offer.ts'
import type { Fleet } from '#gateway/fleet.ts'
import { SentRequest } from '#gateway/sent-request.ts'
import type { DecisionRecord } from '#routing/decision.ts'
import type { Dispatcher, DispatchRequest, RejectReason } from '#routing/dispatcher.ts'
import { type DispatcherName, newDispatcher } from '#routing/index.ts'
import { ChurnMap } from '#std/churn.ts'

/**
 * While requests wait, endpoints are looked at again at least this often: the pause of a breaker
 * ends, and a slow start goes on, without an event that would say so.
 */
const lookAgainMs = 250

export type DeskAnswer =
  | { readonly kind: 'sent'; readonly sent: SentRequest }
  | {
      readonly kind: 'rejected'
      readonly request: DispatchRequest
      readonly because: RejectReason
      /** What was predicted; null where the filters said it all. */
      readonly record: DecisionRecord | null
    }

/** The desk gives ids of its own: clients choose theirs, and two may choose the same. */
export type PlaceRequest = Omit<DispatchRequest, 'id'>

/** A request that asked for a place. */
export interface Asking {
  readonly request: DispatchRequest
  /** Null while it waits. */
  answer: DeskAnswer | null
  /** Called with the answer of one that had to wait. */
  onAnswer: ((answer: DeskAnswer) => void) | null
}

interface Told {
  readonly offer: EndpointOffer
  state: EndpointState
}

/** As dispatchers are told of it: what is full is open to them, and they look at its room themselves. */
function openness({ state }: Endpoint): EndpointState {
  return state === 'busy' ? 'ready' : state
}

export class DispatchDesk {
  readonly #fleet: Fleet
  readonly #nowMs: () => number
  readonly #chance: () => number
  #dispatcher: Dispatcher
  #strategy: DispatcherName
  readonly #waiting = new ChurnMap<RequestId, Asking>()
  /** What the dispatcher knows of each endpoint. */
  readonly #told = new Map<EndpointId, Told>()
  #asked = 0
  #timer: NodeJS.Timeout | null = null
  #soon: NodeJS.Immediate | null = null

  constructor(options: {
    readonly strategy: DispatcherName
    readonly fleet: Fleet
    readonly nowMs: () => number
    readonly chance: () => number
  }) {
    this.#fleet = options.fleet
    this.#nowMs = options.nowMs
    this.#chance = options.chance
    this.#strategy = options.strategy
    this.#dispatcher = this.#newDispatcher()
  }

  get waiting(): number {
    return this.#waiting.size
  }

  waitingFor(model: ModelName): number {
    let count = 0
    for (const { request } of this.#waiting.values()) if (request.model === model) count++
    return count
  }

  /** The answer is there at once, or comes through `onAnswer`. */
  ask(wanted: PlaceRequest): Asking {
    this.#asked++
    const request = { ...wanted, id: requestId(String(this.#asked)) }
    const asking: Asking = { request, answer: null, onAnswer: null }
    this.#waiting.set(request.id, asking)
    const nowMs = this.#nowMs()
    this.#dispatcher.arrive(request, nowMs)
    this.#obey(nowMs)
    return asking
  }

  /** It does not want a place any more; does nothing for one that has its answer. */
  leave({ request: { id } }: Asking): void {
    if (!this.#waiting.delete(id)) return
    const nowMs = this.#nowMs()
    this.#dispatcher.leave(id, nowMs)
    this.#obey(nowMs)
  }

  /** The fleet is as a new configuration says. Who waits goes on waiting, by the new strategy. */
  configure(strategy: DispatcherName): void {
    if (strategy !== this.#strategy) {
      this.#strategy = strategy
      this.#dispatcher = this.#newDispatcher()
      this.#told.clear()
      this.#tellOfFleet()
      for (const { request } of this.#waiting.values()) {
        this.#dispatcher.arrive(request, this.#nowMs())
      }
    } else {
      this.#tellOfFleet()
    }
    this.#obey()
  }

  /** An endpoint was heard of: what it serves, its state and its limits may be others now. */
  heardOf(endpoint: Endpoint, load: EndpointLoad | null): void {
    const told = this.#told.get(endpoint.id)
    if (told === undefined || told.state !== openness(endpoint) || told.offer.changed()) {
      this.#tellOfFleet()
    }
    if (load !== null) this.#dispatcher.report(endpoint.id, load, this.#nowMs())
    this.#obey()
  }

  #newDispatcher(): Dispatcher {
    return newDispatcher(this.#strategy, { chance: this.#chance, explain: true })
  }

  #tellOfFleet(): void {
    const { endpoints } = this.#fleet
    const ids = new Set(endpoints.map(({ id }) => id))
    for (const id of this.#told.keys()) if (!ids.has(id)) this.#told.delete(id)
    for (const endpoint of endpoints) {
      const told = this.#told.get(endpoint.id)
      if (told === undefined || told.offer.view !== endpoint || told.offer.changed()) {
        const offer = new EndpointOffer(endpoint)
        this.#told.set(endpoint.id, { offer, state: openness(endpoint) })
      } else {
        told.state = openness(endpoint)
      }
    }
    this.#dispatcher.endpoints(
      [...this.#told.values()].map(({ offer }) => offer),
      this.#nowMs(),
    )
  }

  /** Does what the dispatcher says, until it has nothing to say; all of it takes no time. */
  #obey(nowMs = this.#nowMs()): void {
    const dispatcher = this.#dispatcher
    while (this.#waiting.size > 0) {
      const dispatch = dispatcher.next(nowMs)
      if (dispatch === null) break
      const asking = this.#waiting.get(dispatch.request.id)
      if (asking === undefined) throw new Error('the dispatcher answers one that does not wait')
      this.#waiting.delete(dispatch.request.id)
      if (dispatch.kind === 'reject') {
        const { request, because, record } = dispatch
        asking.answer = { kind: 'rejected', request, because, record }
      } else {
        const told = this.#told.get(dispatch.endpoint)
        if (told === undefined) throw new Error('the dispatcher chose one that it was not told of')
        const { view: endpoint } = told.offer
        const sent = new SentRequest({
          request: dispatch.request,
          endpoint,
          record: dispatch.record,
          dispatcher,
          nowMs: this.#nowMs,
          changed: (urgent) => this.#changed(endpoint, dispatcher, urgent),
        })
        asking.answer = { kind: 'sent', sent }
      }
      asking.onAnswer?.(asking.answer)
    }
    if (this.#waiting.size > 0 || this.#timer !== null) this.#keepTime()
  }

  /** Something happened at an endpoint, for which somebody may have waited. */
  #changed(endpoint: Endpoint, heardBy: Dispatcher, urgent: boolean): void {
    if (urgent) {
      const told = this.#told.get(endpoint.id)
      // The dispatcher before this one heard of it: this one has to look anew.
      const isNews = heardBy !== this.#dispatcher || told?.state !== openness(endpoint)
      if (told !== undefined && isNews) this.#tellOfFleet()
    }
    if (this.#waiting.size === 0) return
    if (urgent) {
      this.#obey()
      return
    }
    // Every engine sends many tokens at a time: one look for all of them.
    this.#soon ??= setImmediate(() => {
      this.#soon = null
      this.#obey()
    })
  }

  #keepTime(): void {
    if (this.#waiting.size === 0) {
      if (this.#timer !== null) clearTimeout(this.#timer)
      this.#timer = null
      return
    }
    if (this.#timer !== null) return
    const nowMs = this.#nowMs()
    const wakeAtMs = this.#dispatcher.wakeAtMs(nowMs) ?? Number.POSITIVE_INFINITY
    const inMs = Math.max(1, Math.min(lookAgainMs, wakeAtMs - nowMs))
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#nowMs()
      for (const { offer, state } of this.#told.values()) {
        if (openness(offer.view) === state) continue
        this.#tellOfFleet()
        break
      }
      this.#obey()
    }, inMs)
  }
}
