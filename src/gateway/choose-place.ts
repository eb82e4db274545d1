/** Finds a request a place at an endpoint, now or after waiting in the queue. */

import type { Evidence } from '#core/endpoint-health.ts'
import { MotleyError } from '#core/errors.ts'
import type { EndpointId, ModelName } from '#core/ids.ts'
import type { Endpoint } from '#gateway/endpoint.ts'
import type { Exchange } from '#gateway/exchange.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import type { Constraint } from '#routing/constraint.ts'
import type { DecisionRecord, WhyNone } from '#routing/decision.ts'
import { pickers } from '#routing/index.ts'
import { takeTurn } from '#routing/pickers/round-robin.ts'
import { route } from '#routing/route.ts'

/** A place at an endpoint, counted in; `finish` counts it out. */
export interface Place {
  readonly kind: 'place'
  readonly endpoint: Endpoint
  readonly finish: (evidence: Evidence | null) => void
}

export type NoPlace =
  | { readonly kind: 'none'; readonly because: WhyNone }
  /** The client left while it waited. */
  | { readonly kind: 'gone' }

/** In the same breath as the decision, so that no other decision counts on the same room. */
function takePlace(endpoint: Endpoint): Place {
  return { kind: 'place', endpoint, finish: endpoint.begin() }
}

export interface PlaceWanted {
  readonly model: ModelName
  /** Endpoints that already failed this request. */
  readonly tried: readonly EndpointId[]
  /** What rules and script of the user say of its endpoints. */
  readonly constraint: Constraint | null
  /** Whether another model may answer: then it is not worth waiting for one that is down. */
  readonly hasFallback: boolean
  /** When the whole request must be over. */
  readonly totalAtMs: number
}

/**
 * A place at the endpoint to try next, after waiting for one if that helps. Throws `queue_full`,
 * and `queue_timeout` or `model_loading` after waiting in vain.
 */
export function choosePlace(
  state: GatewayState,
  exchange: Exchange,
  wanted: PlaceWanted,
): Promise<Place | NoPlace> | Place | NoPlace {
  if (exchange.clientGone) return { kind: 'gone' }
  const { model, tried, constraint } = wanted
  const group =
    tried.length === 0 ? `${exchange.route.task} ${model} ${constraint?.group ?? ''}` : null
  if (group !== null && state.queue.length > 0 && state.queue.has(group)) {
    state.tick()
    state.queue.wake()
  }
  if (group === null || state.queue.length === 0 || !state.queue.has(group)) {
    const found = look(state, exchange, wanted)
    if ('kind' in found) return found
    exchange.decisions.push(found)
    const full = found.candidates.some(({ refusal }) => refusal?.kind === 'full')
    if (!full && wanted.hasFallback) return { kind: 'none', because: { kind: 'none-ready' } }
  }
  return waitForPlace(state, exchange, wanted, group)
}

/** One decision: a place, the reason why there is none, or the record of one that says "wait". */
function look(
  state: GatewayState,
  exchange: Exchange,
  { model, tried, constraint }: PlaceWanted,
): Place | NoPlace | DecisionRecord {
  const nowMs = state.tick()
  const decision = route(
    { model, nowMs, tried, turnNow: state.fleet.turnNow, constraint },
    state.fleet.serving(model, exchange.route.task),
    pickers[state.config.routing.strategy],
    state.chance,
  )
  if (decision.kind === 'wait') return decision.record
  exchange.decisions.push(decision.record)
  if (decision.kind === 'refuse') return { kind: 'none', because: decision.because }
  const { endpoint } = decision
  const { turn, turnNow } = takeTurn(endpoint, state.fleet.turnNow)
  endpoint.turn = turn
  state.fleet.turnNow = turnNow
  return takePlace(endpoint)
}

function waitForPlace(
  state: GatewayState,
  exchange: Exchange,
  wanted: PlaceWanted,
  group: string | null,
): Promise<Place | NoPlace> {
  const { model } = wanted
  const startedMs = state.nowMs()
  const { maxRequests, timeoutMs } = state.config.gateway.queue
  return new Promise((resolve, reject) => {
    const over = (): void => {
      exchange.underWay = null
      exchange.queueMs += state.nowMs() - startedMs
    }
    const leave = state.queue.enqueue(
      {
        model,
        group,
        tryNow() {
          const again = look(state, exchange, wanted)
          if (!('kind' in again)) return false
          over()
          if (again.kind === 'place') again.endpoint.stats.queueMs.add(exchange.queueMs)
          resolve(again)
          return true
        },
        onTimeout() {
          over()
          reject(waitedInVain(state, exchange, model))
        },
      },
      { maxRequests, timeoutMs: Math.max(0, Math.min(timeoutMs, wanted.totalAtMs - startedMs)) },
    )
    exchange.underWay = {
      clientGone() {
        leave()
        over()
        resolve({ kind: 'gone' })
      },
      shutDown() {
        leave()
        over()
        reject(new MotleyError('draining', null, { retryAfterSeconds: 1 }))
      },
    }
  })
}

/** How long a request waits for endpoints that were just added to say what they serve. */
const firstReportsMs = 3_000

/**
 * Resolves when an endpoint serves what was asked, when all have been asked, or when waiting for
 * that takes too long: what a new endpoint serves is known after its first check.
 */
export function firstReports(state: GatewayState, exchange: Exchange): Promise<void> {
  const { asked, route } = exchange
  if (asked === null || !state.fleet.endpoints.some((endpoint) => endpoint.isUnchecked)) {
    return Promise.resolve()
  }
  return new Promise((resolve, reject) => {
    const over = (): void => {
      exchange.underWay = null
      resolve()
    }
    const leave = state.queue.enqueue(
      {
        model: asked.model,
        group: null,
        tryNow() {
          const served = state.fleet.serving(asked.model, route.task).length > 0
          const known = !state.fleet.endpoints.some((endpoint) => endpoint.isUnchecked)
          if (served || known) over()
          return served || known
        },
        onTimeout: over,
      },
      { maxRequests: state.config.gateway.queue.maxRequests, timeoutMs: firstReportsMs },
    )
    exchange.underWay = {
      clientGone() {
        leave()
        over()
      },
      shutDown() {
        leave()
        exchange.underWay = null
        reject(new MotleyError('draining', null, { retryAfterSeconds: 1 }))
      },
    }
  })
}

function waitedInVain(state: GatewayState, exchange: Exchange, model: ModelName): MotleyError {
  const endpoints = state.fleet.serving(model, exchange.route.task)
  if (endpoints.some((endpoint) => endpoint.state === 'loading')) {
    return new MotleyError('model_loading', `"${model}" is still being loaded.`, {
      retryAfterSeconds: 5,
    })
  }
  return new MotleyError(
    'queue_timeout',
    `No endpoint of "${model}" had room within ${Math.round(exchange.queueMs)} ms.`,
    { retryAfterSeconds: 1 },
  )
}
