/**
 * Finds endpoints for a request and tries them until one answers: the model that was asked for
 * first, then its fallbacks. One layer retries, this one, within a count and a budget, and only
 * while no byte of an answer has reached the client.
 */
import { defaultTimeouts, type TimeoutsConfig } from '#core/config/gateway.ts'
import type { Evidence } from '#core/endpoint-health.ts'
import { MotleyError } from '#core/errors.ts'
import type { EndpointId, ModelName } from '#core/ids.ts'
import { type AttemptFailure, attempt } from '#gateway/attempt.ts'
import type { Endpoint } from '#gateway/endpoint.ts'
import type { Exchange } from '#gateway/exchange.ts'
import { servedModel } from '#gateway/fleet.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import { forwardedAnswerHeaders } from '#gateway/headers.ts'
import type { Deadlines } from '#gateway/watchdog.ts'
import { isOpenAiError } from '#openai/engine-error.ts'
import type { DecisionRecord, WhyNone } from '#routing/decision.ts'
import { pickers } from '#routing/index.ts'
import { takeTurn } from '#routing/pickers/round-robin.ts'
import { route } from '#routing/route.ts'

/** Why a model could not answer. */
type ModelEnd =
  | { readonly kind: 'answered' }
  | { readonly kind: 'gone' }
  /** The engine's refusal, to be passed on: asking elsewhere would not change it. */
  | { readonly kind: 'refused'; readonly failure: AttemptFailure }
  | {
      readonly kind: 'exhausted'
      readonly failure: AttemptFailure | null
      readonly none: WhyNone | null
    }

/** Resolves when the client has its answer or has left; throws what it must be told instead. */
export async function forward(state: GatewayState, exchange: Exchange): Promise<void> {
  const asked = exchange.asked
  if (asked === null) throw new Error('a request is parsed before it is forwarded')
  const { fleet, config } = state
  const models = [
    asked.model,
    ...(config.models[asked.model]?.fallback ?? []).map((name) => fleet.resolve(name)),
  ].filter((model) => fleet.serving(model, exchange.route.task).length > 0)
  if (models.length === 0) throw notServed(state, exchange)
  let last: Exclude<ModelEnd, { kind: 'answered' | 'gone' }> | null = null
  for (const [index, model] of models.entries()) {
    const end = await tryModel(state, exchange, model, models.length - index - 1)
    if (end.kind === 'answered' || end.kind === 'gone') return
    // A request that is wrong stays wrong; only its length may suit another model.
    last = end
    if (end.kind === 'refused' && end.failure.kind !== 'too-large') break
  }
  if (last === null) throw new Error('a model was tried, so there is an end')
  if (last.kind === 'refused') passOn(exchange, last.failure)
  else throw finalError(state, exchange, last.failure, last.none)
}

async function tryModel(
  state: GatewayState,
  exchange: Exchange,
  model: ModelName,
  modelsAfter: number,
): Promise<ModelEnd> {
  const { config, budget } = state
  const tried: EndpointId[] = []
  let failure: AttemptFailure | null = null
  let usedStaleRetry = false
  let sameEndpoint: Endpoint | null = null
  for (;;) {
    const found: Place | NoPlace =
      sameEndpoint === null
        ? await choosePlace(state, exchange, model, tried, modelsAfter > 0)
        : takePlace(sameEndpoint)
    if (found.kind === 'gone') return found
    if (found.kind === 'none') return { kind: 'exhausted', failure, none: found.because }
    const { endpoint, finish }: Place = found
    const repeated = sameEndpoint !== null
    sameEndpoint = null
    const served = servedModel(endpoint, model)
    if (served === null) {
      // A report changed what it serves while this request waited for it.
      finish(null)
      tried.push(endpoint.id)
      continue
    }
    if (exchange.attempts.length > 0 && !repeated) endpoint.stats.redispatches++
    else budget.noteFirstAttempt()
    exchange.attemptsBegun++
    exchange.answeredBy = endpoint.id
    exchange.answeredModel = model
    const end = await attempt({
      exchange,
      endpoint,
      model,
      served,
      finish,
      deadlines: deadlinesOf(state, exchange, model),
      nowMs: state.nowMs,
      answerHeaders: () => answerHeaders(exchange),
    })
    state.roomAt(endpoint)
    if (end.kind === 'answered') return end
    if (end.kind === 'client-gone') return { kind: 'gone' }
    if (end.kind === 'cut') throw new MotleyError('draining', null, { retryAfterSeconds: 1 })
    failure = end.failure
    if (failure.kind === 'unreachable' || failure.kind === 'unavailable') {
      state.suspect(endpoint.id)
    }
    if (failure.kind === 'refused') return { kind: 'refused', failure }
    if (failure.stale && !usedStaleRetry) {
      // The endpoint closed an idle connection as we used it: its request never began.
      usedStaleRetry = true
      exchange.attempts.pop()
      exchange.attemptsBegun--
      sameEndpoint = endpoint
      continue
    }
    tried.push(endpoint.id)
    const reserved = modelsAfter > 0 ? 1 : 0
    if (exchange.attempts.length >= config.gateway.retries.maxAttempts - reserved) {
      return { kind: failure.kind === 'too-large' ? 'refused' : 'exhausted', failure, none: null }
    }
    const others = state.fleet
      .serving(model, exchange.route.task)
      .filter((other) => !tried.includes(other.id) && other.state !== 'failed')
    if (failure.kind === 'too-large' && !largerThan(others, served.contextTokens, model)) {
      return { kind: 'refused', failure }
    }
    if (others.length === 0 && modelsAfter > 0 && failure.kind === 'timeout') {
      return { kind: 'exhausted', failure, none: null }
    }
    if (!budget.tryRetry(state.nowMs())) {
      state.metrics.retriesRefused.inc()
      return { kind: 'exhausted', failure, none: null }
    }
    endpoint.stats.retries++
    if (others.length === 0) {
      const once = tried.filter((id) => id === endpoint.id).length === 1
      const mayRepeat = failure.kind === 'server-error' || failure.kind === 'reset'
      if (!once || !mayRepeat || tried.length > 1) return { kind: 'exhausted', failure, none: null }
      sameEndpoint = endpoint
    }
  }
}

/** A place at an endpoint, counted in; `finish` counts it out. */
interface Place {
  readonly kind: 'place'
  readonly endpoint: Endpoint
  readonly finish: (evidence: Evidence | null) => void
}

type NoPlace =
  | { readonly kind: 'none'; readonly because: WhyNone }
  /** The client left while it waited. */
  | { readonly kind: 'gone' }

/** In the same breath as the decision, so that no other decision counts on the same room. */
function takePlace(endpoint: Endpoint): Place {
  return { kind: 'place', endpoint, finish: endpoint.begin() }
}

/**
 * A place at the endpoint to try next, after waiting for one if that helps. Throws `queue_full`,
 * and `queue_timeout` or `model_loading` after waiting in vain.
 */
function choosePlace(
  state: GatewayState,
  exchange: Exchange,
  model: ModelName,
  tried: readonly EndpointId[],
  hasFallback: boolean,
): Promise<Place | NoPlace> | Place | NoPlace {
  const look = (): Place | NoPlace | DecisionRecord => {
    const nowMs = state.tick()
    const decision = route(
      { model, nowMs, tried, turnNow: state.fleet.turnNow },
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
  const first = look()
  if ('kind' in first) return first
  exchange.decisions.push(first)
  const full = first.candidates.some(({ refusal }) => refusal?.kind === 'full')
  if (!full && hasFallback) return { kind: 'none', because: { kind: 'none-ready' } }
  const sinceMs = state.nowMs()
  return new Promise((resolve, reject) => {
    const over = (): void => {
      exchange.underWay = null
      exchange.queueMs += state.nowMs() - sinceMs
    }
    const ticket = state.waiting.enter(
      model,
      state.config.gateway.queue,
      () => {
        const again = look()
        if (!('kind' in again)) return false
        over()
        if (again.kind === 'place') again.endpoint.stats.queueMs.add(exchange.queueMs)
        resolve(again)
        return true
      },
      () => {
        over()
        reject(waitedInVain(state, exchange, model))
      },
    )
    exchange.underWay = {
      clientGone() {
        ticket.leave()
        over()
        resolve({ kind: 'gone' })
      },
      shutDown() {
        ticket.leave()
        over()
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
    `No endpoint of "${model}" had room within ${state.config.gateway.queue.timeoutMs} ms.`,
    { retryAfterSeconds: 1 },
  )
}

function largerThan(
  others: readonly Endpoint[],
  contextTokens: number | null,
  model: ModelName,
): boolean {
  return others.some((other) => {
    const context = servedModel(other, model)?.contextTokens ?? null
    return context === null || contextTokens === null || context > contextTokens
  })
}

function deadlinesOf(state: GatewayState, exchange: Exchange, model: ModelName): Deadlines {
  const of = (name: keyof TimeoutsConfig): number =>
    state.config.models[model]?.timeouts[name] ??
    state.config.gateway.timeouts[name] ??
    defaultTimeouts[name]
  return {
    connectMs: of('connectMs'),
    firstByteMs: of('firstByteMs'),
    betweenChunksMs: of('betweenChunksMs'),
    writeStallMs: state.config.gateway.writeStallMs,
    totalAtMs: exchange.startedMs + of('totalMs'),
  }
}

function answerHeaders(exchange: Exchange): string[] {
  const headers = [
    'x-request-id',
    exchange.id,
    'x-motley-endpoint',
    exchange.answeredBy ?? '',
    'x-motley-attempts',
    String(exchange.attemptsBegun),
    'x-motley-queue-ms',
    String(Math.round(exchange.queueMs)),
  ]
  if (exchange.answeredModel !== null && exchange.answeredModel !== exchange.asked?.model) {
    headers.push('x-motley-model', exchange.answeredModel)
  }
  return headers
}

/** The engine's own refusal, with its status and its words, in the shape of the API called. */
function passOn(exchange: Exchange, failure: AttemptFailure): void {
  const { response, route } = exchange
  const answer = failure.answer
  if (answer === null || failure.status === null || response.headersSent) {
    throw new MotleyError('engine_failed', attemptsText(exchange))
  }
  const text = answer.body.toString('utf8')
  const asIs =
    route.api.body === 'multipart' || isOpenAiError(text) || text.includes('"type":"error"')
  const own = answerHeaders(exchange)
  const retryAfter = answer.headers['retry-after']
  if (asIs) {
    const headers = forwardedAnswerHeaders(answer.headers)
    response.writeHead(failure.status, [
      ...headers,
      'content-length',
      String(answer.body.length),
      ...own,
    ])
    response.end(answer.body)
    return
  }
  const body = Buffer.from(
    JSON.stringify(
      route.api.errorBody({
        status: failure.status,
        code: `engine_${failure.status}`,
        message: failure.detail.replace(/^\d+ "?|"$/g, '') || `HTTP ${failure.status}`,
        param: null,
      }),
    ),
  )
  response.writeHead(failure.status, [
    'content-type',
    'application/json',
    'content-length',
    String(body.length),
    ...(retryAfter === undefined ? [] : ['retry-after', String(retryAfter)]),
    ...own,
  ])
  response.end(body)
}

function finalError(
  state: GatewayState,
  exchange: Exchange,
  failure: AttemptFailure | null,
  none: WhyNone | null,
): MotleyError {
  const model = exchange.asked?.modelText ?? ''
  if (failure === null) {
    if (none?.kind === 'cooling') {
      return new MotleyError(
        'engine_rate_limited',
        `Every endpoint of "${model}" answered 429 and rests.`,
        { retryAfterSeconds: (none.untilMs - state.nowMs()) / 1000 },
      )
    }
    return new MotleyError('no_ready_endpoint', stateText(state, exchange), {
      retryAfterSeconds: 2,
    })
  }
  const text = attemptsText(exchange)
  const retryAfterSeconds = failure.retryAfterSeconds
  switch (failure.kind) {
    case 'rate-limited':
      return new MotleyError('engine_rate_limited', text, {
        retryAfterSeconds: retryAfterSeconds ?? 1,
      })
    case 'timeout':
      return new MotleyError('engine_timeout', text, { retryAfterSeconds })
    case 'unavailable':
    case 'unreachable':
      return new MotleyError('no_ready_endpoint', text, {
        retryAfterSeconds: retryAfterSeconds ?? 2,
      })
    case 'reset':
    case 'server-error':
    case 'too-large':
    case 'refused':
      return new MotleyError('engine_failed', text, { retryAfterSeconds })
  }
}

/** Every attempt by name, so that a person need not look for it in a log. */
function attemptsText(exchange: Exchange): string {
  const model = exchange.asked?.modelText ?? ''
  const tries = exchange.attempts.map(
    ({ endpoint, outcome, durationMs }) =>
      `${endpoint} ${outcome.replace(/^it /, '')} after ${Math.round(durationMs)} ms`,
  )
  const count = tries.length === 1 ? 'One attempt' : `${tries.length} attempts`
  return `No endpoint could answer for "${model}". ${count}: ${tries.join('; ')}.`
}

function stateText(state: GatewayState, exchange: Exchange): string {
  const asked = exchange.asked
  const endpoints = asked === null ? [] : state.fleet.serving(asked.model, exchange.route.task)
  const states = endpoints.map(
    (endpoint) =>
      `${endpoint.id} is ${endpoint.state}${endpoint.reason === null ? '' : ` (${endpoint.reason})`}`,
  )
  return `No endpoint that serves "${asked?.modelText}" is ready: ${states.join('; ')}.`
}

function notServed(state: GatewayState, exchange: Exchange): MotleyError {
  const { fleet } = state
  const asked = exchange.asked
  const name = asked?.modelText.slice(0, 200) ?? ''
  if (asked !== null && fleet.knows(asked.model)) {
    return new MotleyError(
      'model_not_found',
      `The model "${name}" is served here, but not for ${exchange.route.api.name}.`,
      { param: 'model' },
    )
  }
  const unread = fleet.unread.map((endpoint) => endpoint.id)
  if (unread.length > 0) {
    return new MotleyError(
      'no_ready_endpoint',
      `No endpoint is known to serve "${name}", and ${unread.join(', ')} could not be asked yet.`,
      { retryAfterSeconds: 2 },
    )
  }
  if (fleet.endpoints.length === 0) {
    return new MotleyError(
      'no_ready_endpoint',
      'This gateway has no endpoints: name some under "endpoints" in its configuration.',
    )
  }
  const known = [...fleet.models.keys()].slice(0, 20)
  return new MotleyError(
    'model_not_found',
    `No endpoint of this fleet serves "${name}"; there is ${known.map((model) => `"${model}"`).join(', ')}.`,
    { param: 'model' },
  )
}
