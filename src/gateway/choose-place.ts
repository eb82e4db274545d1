/** Finds a request a place at an endpoint, now or after waiting for one. */
import { MotleyError } from '#core/errors.ts'
import type { EndpointId, ModelName } from '#core/ids.ts'
import type { Asking, DeskAnswer } from '#gateway/dispatch-desk.ts'
import { dispatchRequest } from '#gateway/dispatch-request.ts'
import type { Exchange } from '#gateway/exchange.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import type { SentRequest } from '#gateway/sent-request.ts'
import type { Constraint } from '#routing/constraint.ts'
import type { DecisionRecord, WhyNone } from '#routing/decision.ts'
import type { DispatchRequest } from '#routing/dispatcher.ts'
import { waitingFor, waitingRecord } from '#routing/waiting-record.ts'

export type Place =
  /** Counted in at an endpoint already; `sent.end` counts it out. */
  | { readonly kind: 'place'; readonly sent: SentRequest }
  | { readonly kind: 'none'; readonly because: WhyNone }
  /** The client left while it waited. */
  | { readonly kind: 'gone' }

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
): Promise<Place> | Place {
  if (exchange.clientGone) return { kind: 'gone' }
  const { model, tried, constraint } = wanted
  state.tick()
  const asking = state.desk.ask(
    dispatchRequest(state, exchange, { model, excluded: tried, constraint }),
  )
  if (asking.answer !== null) return placeOf(state, exchange, asking.answer)
  const serving = state.fleet.serving(model, asking.request.task)
  const waitsFor = waitingFor(asking.request, serving, state.nowMs())
  if (waitsFor !== 'held') exchange.decisions.push(recordOfNow(state, asking.request))
  // Who is at work is worth waiting for, whether its limit or a prediction says so.
  if (waitsFor === 'down' && wanted.hasFallback) {
    state.desk.leave(asking)
    return { kind: 'none', because: { kind: 'none-ready' } }
  }
  const { maxRequests } = state.config.gateway.queue
  if (state.waiting > maxRequests) {
    state.desk.leave(asking)
    if (waitsFor === 'held') exchange.decisions.push(recordOfNow(state, asking.request))
    throw new MotleyError(
      'queue_full',
      `Every endpoint of "${model}" is at its limit and ${maxRequests} requests wait already.`,
      { retryAfterSeconds: 1 },
    )
  }
  // One that rests, after a 429 or from what it could not do, is there all the same.
  const nobodyIsThere =
    waitsFor === 'down' && !serving.some(({ state: at }) => at === 'ready' || at === 'busy')
  return waitForPlace(state, exchange, wanted, { asking, nobodyIsThere })
}

function placeOf(state: GatewayState, exchange: Exchange, answer: DeskAnswer): Place {
  if (answer.kind === 'sent') {
    const { sent } = answer
    if (sent.record !== null) exchange.decisions.push(sent.record)
    return { kind: 'place', sent }
  }
  const { because, request, record } = answer
  exchange.decisions.push(record ?? recordOfNow(state, request))
  if (because.kind === 'overload') {
    throw new MotleyError(
      'overloaded',
      `"${request.model}" is asked for more than it can answer: ${state.waiting} requests wait, and this one would not start in time.`,
      { retryAfterSeconds: because.retryAfterMs / 1_000 },
    )
  }
  return { kind: 'none', because }
}

/** What stands against each endpoint now, for whoever asks why. */
function recordOfNow(state: GatewayState, request: DispatchRequest): DecisionRecord {
  return waitingRecord(
    request,
    state.fleet.serving(request.model, request.task),
    state.config.routing.strategy,
    state.nowMs(),
  )
}

function waitForPlace(
  state: GatewayState,
  exchange: Exchange,
  { model, totalAtMs }: PlaceWanted,
  { asking, nobodyIsThere }: { readonly asking: Asking; readonly nobodyIsThere: boolean },
): Promise<Place> {
  const startedMs = state.nowMs()
  const timeoutMs = Math.max(
    0,
    Math.min(state.config.gateway.queue.timeoutMs, totalAtMs - startedMs),
  )
  return new Promise((resolve, reject) => {
    const over = (): void => {
      clearTimeout(timer)
      exchange.underWay = null
      const waitedMs = state.nowMs() - startedMs
      exchange.queueMs += waitedMs
      if (nobodyIsThere) exchange.awayMs += waitedMs
    }
    asking.onAnswer = (answer) => {
      over()
      if (answer.kind === 'sent') answer.sent.endpoint.stats.queueMs.add(exchange.queueMs)
      try {
        resolve(placeOf(state, exchange, answer))
      } catch (error) {
        reject(error)
      }
    }
    const timer = setTimeout(() => {
      over()
      state.desk.leave(asking)
      exchange.decisions.push(recordOfNow(state, asking.request))
      reject(waitedInVain(state, exchange, model))
    }, timeoutMs)
    exchange.underWay = {
      sinceMs: startedMs,
      waitsFor: { kind: nobodyIsThere ? 'endpoint' : 'room' },
      clientGone() {
        over()
        state.desk.leave(asking)
        resolve({ kind: 'gone' })
      },
      shutDown() {
        over()
        state.desk.leave(asking)
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
