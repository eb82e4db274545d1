/** What a client is told when no endpoint answered it. */
import { MotleyError } from '#core/errors.ts'
import type { ModelName } from '#core/ids.ts'
import { apiRoutes } from '#gateway/api-table.ts'
import type { AttemptFailure } from '#gateway/attempt-failure.ts'
import type { Exchange } from '#gateway/exchange.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import { refusalWords } from '#gateway/refusal-words.ts'
import { type DecisionRecord, explainedMax, type WhyNone } from '#routing/decision.ts'

/** An endpoint that is down is checked again within this time. */
const nextCheckSeconds = 2

/** `failure` is the last attempt's, null when there was none; `none` why there was no other. */
export function finalError(
  state: GatewayState,
  exchange: Exchange,
  failure: AttemptFailure | null,
  none: WhyNone | null,
): MotleyError {
  if (failure === null) return neverAttempted(state, exchange, none)
  const text = attemptsText(exchange)
  const { retryAfterSeconds } = failure
  switch (failure.kind) {
    case 'rate-limited':
      return new MotleyError('engine_rate_limited', text, {
        retryAfterSeconds: retryAfterSeconds ?? 1,
      })
    case 'timeout':
    case 'out-of-time':
      return new MotleyError('engine_timeout', text, { retryAfterSeconds })
    case 'unavailable':
    case 'unreachable':
      return new MotleyError('no_ready_endpoint', text, {
        retryAfterSeconds: retryAfterSeconds ?? nextCheckSeconds,
      })
    case 'key-refused':
      return new MotleyError('engine_key_refused', text)
    case 'reset':
    case 'server-error':
    case 'too-large':
    case 'refused':
      return new MotleyError('engine_failed', text, { retryAfterSeconds })
  }
}

function neverAttempted(
  state: GatewayState,
  exchange: Exchange,
  none: WhyNone | null,
): MotleyError {
  if (none?.kind === 'cooling') {
    return new MotleyError(
      'engine_rate_limited',
      `Every endpoint of "${exchange.asked?.modelText}" answered 429 and rests.`,
      { retryAfterSeconds: (none.untilMs - state.nowMs()) / 1000 },
    )
  }
  if (none?.kind === 'not-permitted') {
    const tellsMore = `Run \`motley why ${exchange.id}\` for what was looked at.`
    return new MotleyError('no_permitted_endpoint', `${constraintText(exchange)} ${tellsMore}`)
  }
  if (none?.kind === 'too-long') {
    return new MotleyError('context_length_exceeded', constraintText(exchange))
  }
  const text = stateText(state, exchange)
  return areShut(state, exchange)
    ? new MotleyError('engine_key_refused', text)
    : new MotleyError('no_ready_endpoint', text, { retryAfterSeconds: nextCheckSeconds })
}

/** Whether waiting is in vain, because each refuses the key of this gateway. */
function areShut(state: GatewayState, { asked, route }: Exchange): boolean {
  const endpoints = asked === null ? [] : state.fleet.serving(asked.model, route.task)
  return endpoints.length > 0 && endpoints.every(({ health }) => health.refusesKey)
}

/** Every attempt by name, so that a person need not look for it in a log. */
export function attemptsText(exchange: Exchange): string {
  const model = exchange.asked?.modelText ?? ''
  const tries = exchange.attempts.map(
    ({ endpoint, outcome, durationMs }) =>
      `${endpoint} ${outcome.replace(/^it /, '')} after ${Math.round(durationMs)} ms`,
  )
  if (tries.length === 0) return `No endpoint had room for "${model}" before its time was over.`
  const count = tries.length === 1 ? 'One attempt' : `${tries.length} attempts`
  return `No endpoint could answer for "${model}". ${count}: ${tries.join('; ')}.`
}

/** The last decision about what was asked for: a fallback has endpoints of its own. */
function lastDecision({ asked, decisions }: Exchange): DecisionRecord | undefined {
  return decisions.findLast(({ model }) => model === asked?.model)
}

function constraintText(exchange: Exchange): string {
  const { candidates = [], leftOut = 0 } = lastDecision(exchange) ?? {}
  const reasons = candidates.flatMap(({ endpoint, refusal }) =>
    refusal === null ? [] : [`${endpoint} ${refusalWords(refusal).clause}`],
  )
  return `No endpoint may take this request for "${exchange.asked?.modelText}": ${listed(reasons, leftOut)}.`
}

/** What is said of an endpoint that is at work is why the last decision passed it over. */
function stateText(state: GatewayState, exchange: Exchange): string {
  const asked = exchange.asked
  const endpoints = asked === null ? [] : state.fleet.serving(asked.model, exchange.route.task)
  const refusals = new Map(
    lastDecision(exchange)?.candidates.map(({ endpoint, refusal }) => [endpoint, refusal]),
  )
  const told = endpoints.filter(({ id }) => refusals.size === 0 || refusals.has(id))
  let areAllDown = true
  const reasons = told.slice(0, explainedMax).map(({ id, state: now, reason }) => {
    const refusal = refusals.get(id) ?? null
    if (refusal === null || refusal.kind === 'state') {
      return `${id} is ${now}${reason === null ? '' : ` (${reason})`}`
    }
    areAllDown = false
    return `${id} ${refusalWords(refusal).clause}`
  })
  const which = areAllDown ? 'is ready' : 'can take this request'
  return `No endpoint that serves "${asked?.modelText}" ${which}: ${listed(reasons, endpoints.length - reasons.length)}.`
}

function listed(reasons: readonly string[], leftOut: number): string {
  return [...reasons, ...(leftOut > 0 ? [`and ${leftOut} more`] : [])].join('; ')
}

/** Nobody serves the model, or nobody is known to. */
export function notServed(state: GatewayState, exchange: Exchange): MotleyError {
  const { fleet } = state
  const asked = exchange.asked
  const name = asked?.modelText.slice(0, 200) ?? ''
  if (asked !== null && fleet.knows(asked.model)) {
    return new MotleyError(
      'model_not_found',
      `"${name}" is served here, but not at ${exchange.route.api.paths[0]}; it takes ${pathsTaken(state, asked.model).join(', ')}.`,
      { param: 'model' },
    )
  }
  const unread = fleet.unread.map((endpoint) =>
    endpoint.reason === null ? endpoint.id : `${endpoint.id} (${endpoint.reason})`,
  )
  if (unread.length > 0) {
    return new MotleyError(
      'no_ready_endpoint',
      `No endpoint is known to serve "${name}", and these have not said yet what they serve: ${unread.join(', ')}.`,
      { retryAfterSeconds: nextCheckSeconds },
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

function pathsTaken(state: GatewayState, model: ModelName): string[] {
  return apiRoutes
    .filter(({ task }) => state.fleet.serving(model, task).length > 0)
    .map(({ api }) => api.paths[0] ?? api.name)
}
