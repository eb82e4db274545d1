/**
 * Finds endpoints for a request and tries them until one answers: the model that was asked for
 * first, then its fallbacks. One layer retries, this one, within a count and a budget: all of it
 * while no byte of an answer has reached the client, and then only the rest.
 */
import { defaultTimeouts, type TimeoutsConfig } from '#core/config/gateway.ts'
import type { ModelConfig } from '#core/config/models.ts'
import { MotleyError } from '#core/errors.ts'
import type { EndpointId, ModelName } from '#core/ids.ts'
import { AnswerSoFar } from '#gateway/answer-so-far.ts'
import { attempt } from '#gateway/attempt.ts'
import { type AttemptFailure, failureOf } from '#gateway/attempt-failure.ts'
import { withBegunLimit } from '#gateway/begun-limit.ts'
import { choosePlace } from '#gateway/choose-place.ts'
import { constraintFor } from '#gateway/constraint.ts'
import { withContextLimit } from '#gateway/context-limit.ts'
import type { Endpoint } from '#gateway/endpoint.ts'
import type { Exchange, UnservedModel } from '#gateway/exchange.ts'
import { finalError, notServed } from '#gateway/final-error.ts'
import { firstReports } from '#gateway/first-reports.ts'
import { servedModel } from '#gateway/fleet.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import { mayUse } from '#gateway/key-ring.ts'
import { passRefusal } from '#gateway/pass-refusal.ts'
import { withPatience } from '#gateway/patience.ts'
import type { SentRequest } from '#gateway/sent-request.ts'
import { isAwake, waitForWake } from '#gateway/wait-for-wake.ts'
import type { Deadlines } from '#gateway/watchdog.ts'
import type { Constraint } from '#routing/constraint.ts'
import type { WhyNone } from '#routing/decision.ts'
import { planRetry, type RetryPlan } from '#routing/retry.ts'

/** Why a model could not answer. */
type ModelEnd =
  | { readonly kind: 'answered' }
  | { readonly kind: 'gone' }
  | {
      readonly kind: 'failed'
      /** The last attempt's; null when there was none. */
      readonly failure: AttemptFailure | null
      readonly none: WhyNone | null
      /** Whether a fallback model may be tried. */
      readonly mayFallBack: boolean
    }

/** Resolves when the client has its answer or has left; throws what it must be told instead. */
export async function forward(state: GatewayState, exchange: Exchange): Promise<void> {
  exchange.soFar = answerToKeep(state, exchange)
  try {
    await answer(state, exchange)
  } catch (error) {
    // Whatever kept others from going on, the client has half an answer and must know.
    if (exchange.brokeOff === null || !(error instanceof MotleyError)) throw error
    throw new MotleyError('stream_interrupted', exchange.brokeOff, { cause: error })
  }
}

/** Null for answers that no other endpoint could go on with. */
function answerToKeep(state: GatewayState, { asked, body, route }: Exchange): AnswerSoFar | null {
  const { continuation } = route.api
  const bytes = body?.inMemory ?? null
  if (continuation === undefined || bytes === null || !state.config.gateway.retries.continueAnswers)
    return null
  return asked?.stream === true && asked.choices === 1 ? new AnswerSoFar(continuation, bytes) : null
}

async function answer(state: GatewayState, exchange: Exchange): Promise<void> {
  let asked = modelsAskedFor(state, exchange)
  if (!isAwake(state, exchange, asked[0])) {
    await waitForWake(state, exchange, asked)
    asked = modelsAskedFor(state, exchange)
  }
  let models = modelsToTry(state, exchange, asked)
  if (models.length === 0) {
    await firstReports(state, exchange)
    readNameAgain(state, exchange)
    asked = modelsAskedFor(state, exchange)
    models = modelsToTry(state, exchange, asked)
  }
  if (models.length === 0 && !exchange.clientGone) throw notServed(state, exchange)
  if (models.length < asked.length) exchange.unserved = unservedOf(asked, models)
  let failure: AttemptFailure | null = null
  let none: WhyNone | null = null
  for (const [index, model] of models.entries()) {
    const end = await tryModel(state, exchange, model, models.length - index - 1)
    if (end.kind !== 'failed') return
    failure = end.failure ?? failure
    none = end.none ?? none
    if (!end.mayFallBack) break
  }
  if (exchange.clientGone) return
  if (exchange.brokeOff !== null) throw finalError(state, exchange, failure, none)
  if (failure?.kind === 'refused' || failure?.kind === 'too-large') passRefusal(exchange, failure)
  else throw finalError(state, exchange, failure, none)
}

/** What a name with a tag means depends on what there is, and that was not known when it came. */
function readNameAgain(state: GatewayState, exchange: Exchange): void {
  const { asked, key } = exchange
  if (asked === null) return
  const model = state.fleet.resolve(asked.modelText)
  if (mayUse(key, asked.modelText, model)) exchange.asked = { ...asked, model }
}

/** Those of them that are served. */
function modelsToTry(
  state: GatewayState,
  exchange: Exchange,
  asked: readonly ModelName[],
): ModelName[] {
  const models = asked.filter((model) => state.fleet.serving(model, exchange.route.task).length > 0)
  const [first] = models
  if (first !== undefined) state.demand.note(first, state.nowMs())
  return models
}

function unservedOf(
  asked: readonly ModelName[],
  served: readonly ModelName[],
): readonly UnservedModel[] {
  return asked.flatMap((model, index) =>
    served.includes(model) ? [] : [{ model, isFallback: index > 0 }],
  )
}

/** The model that was asked for and its fallbacks, as far as they are allowed. */
function modelsAskedFor(state: GatewayState, exchange: Exchange): [ModelName, ...ModelName[]] {
  const { asked, key } = exchange
  if (asked === null) throw new Error('a request is parsed before it is forwarded')
  const { fleet } = state
  const fallbacks = (modelConfig(state, asked.model)?.fallback ?? [])
    .filter((name) => mayUse(key, name, fleet.resolve(name)))
    .map((name) => fleet.resolve(name))
  return [asked.model, ...fallbacks]
}

async function tryModel(
  state: GatewayState,
  exchange: Exchange,
  model: ModelName,
  modelsLeft: number,
): Promise<ModelEnd> {
  const deadlines = deadlinesOf(state, exchange, model)
  const asking = constraintFor(state, exchange, model)
  const said = asking instanceof Promise ? await asking : asking
  const constraint = withContextLimit(state, exchange, model, said)
  const tried: EndpointId[] = []
  /** Those of `tried` that are not to be tried again. */
  let avoided: readonly EndpointId[] = []
  let failure: AttemptFailure | null = null
  let mayResend = true
  const { maxAttempts } = state.config.gateway.retries
  for (;;) {
    if (state.nowMs() >= deadlines.totalAtMs) {
      return { kind: 'failed', failure: outOfTime(failure), none: null, mayFallBack: false }
    }
    const allowed = withBegunLimit(state, exchange, model, constraint)
    const found = await choosePlace(state, exchange, {
      model,
      tried: avoided,
      constraint: allowed,
      hasFallback: modelsLeft > 0,
      totalAtMs: deadlines.totalAtMs,
    })
    if (found.kind === 'gone') return found
    if (found.kind === 'none') {
      return { kind: 'failed', failure, none: found.because, mayFallBack: true }
    }
    const { sent } = found
    const { endpoint } = sent
    if (exchange.attemptsBegun === 0) state.budget.noteFirstAttempt()
    else if (endpoint.id !== tried.at(-1)) endpoint.stats.redispatches++
    const served = servedModel(endpoint, model)
    const isRest = exchange.brokeOff !== null
    const onward = isRest ? (exchange.soFar?.onwardAt(endpoint) ?? null) : null
    if (served === null || (isRest && onward === null)) {
      // A report changed what it serves, or what its engine is, while this request waited for it.
      sent.end(null, null)
      state.leftFrom(endpoint)
      avoided = [...avoided, endpoint.id]
      continue
    }
    exchange.attemptsBegun++
    exchange.answeredBy = endpoint.id
    exchange.answeredModel = model
    const end = await attempt({
      exchange,
      sent,
      model,
      served,
      deadlines: deadlinesAt(state, exchange, {
        model,
        sent,
        avoided,
        constraint: allowed,
        deadlines,
      }),
      onward,
      mayResend,
      nowMs: state.nowMs,
    })
    state.leftFrom(endpoint)
    if (end.kind === 'answered') {
      if (onward !== null && exchange.errorCode === null) state.metrics.continued.inc({ model })
      return end
    }
    if (end.kind === 'client-gone') return { kind: 'gone' }
    if (end.kind === 'shut-down') throw new MotleyError('draining', null, { retryAfterSeconds: 1 })
    if (end.kind === 'stale') {
      // The endpoint closed an idle connection as we used it: the request never began there.
      mayResend = false
      exchange.attemptsBegun--
      continue
    }
    failure = end.failure
    if (end.kind === 'broke-off') exchange.brokeOff = end.message
    const mayRepeat = failure.kind === 'refused' && exchange.attemptsBegun < maxAttempts
    // It would not go on with what another began; it may still say the same from the beginning.
    if (onward !== null && mayRepeat && exchange.soFar?.refusedBy(endpoint) === true) continue
    if (failure.kind === 'unreachable' || failure.kind === 'unavailable') {
      state.suspect(endpoint.id)
    }
    tried.push(endpoint.id)
    avoided = [...avoided, endpoint.id]
    const plan = retryPlan(state, exchange, { model, tried, failure, endpoint, modelsLeft })
    if (plan === 'give-up') return { kind: 'failed', failure, none: null, mayFallBack: false }
    // Answers that a machine took with it are no wave of retries: what it had to do is done elsewhere.
    if (end.kind !== 'broke-off' && !state.budget.tryRetry(state.nowMs())) {
      state.metrics.retriesRefused.inc()
      return { kind: 'failed', failure, none: null, mayFallBack: false }
    }
    endpoint.stats.retries++
    if (plan === 'next-model') return { kind: 'failed', failure, none: null, mayFallBack: true }
    if (plan === 'same-endpoint') avoided = []
  }
}

/** Earlier ones where somebody else could begin the stream in place of one that does not begin. */
function deadlinesAt(
  state: GatewayState,
  exchange: Exchange,
  at: {
    readonly model: ModelName
    readonly sent: SentRequest
    readonly avoided: readonly EndpointId[]
    readonly constraint: Constraint | null
    readonly deadlines: Deadlines
  },
): Deadlines {
  if (exchange.asked?.stream !== true) return at.deadlines
  const hasOther = state.fleet
    .serving(at.model, exchange.route.task)
    .some(
      (other) =>
        other !== at.sent.endpoint &&
        other.state === 'ready' &&
        !at.avoided.includes(other.id) &&
        (at.constraint?.refuse(other.id) ?? null) === null,
    )
  const { lateFirstByteMs } = state.config.gateway.retries
  return hasOther ? withPatience(at.deadlines, at.sent.predicted, lateFirstByteMs) : at.deadlines
}

function retryPlan(
  state: GatewayState,
  exchange: Exchange,
  so: {
    readonly model: ModelName
    readonly tried: readonly EndpointId[]
    readonly failure: AttemptFailure
    readonly endpoint: Endpoint
    readonly modelsLeft: number
  },
): RetryPlan {
  const others = state.fleet
    .serving(so.model, exchange.route.task)
    .filter((other) => !so.tried.includes(other.id) && other.state !== 'failed')
  const contextTokens = servedModel(so.endpoint, so.model)?.contextTokens ?? null
  return planRetry({
    failure: so.failure.kind,
    attempts: exchange.attemptsBegun,
    maxAttempts: state.config.gateway.retries.maxAttempts,
    endpointsTried: new Set(so.tried).size,
    triesHere: so.tried.filter((id) => id === so.endpoint.id).length,
    othersLeft: others.length,
    largerLeft: others.some((other) => {
      const context = servedModel(other, so.model)?.contextTokens ?? null
      return context === null || contextTokens === null || context > contextTokens
    }),
    modelsLeft: so.modelsLeft,
  })
}

/** What came before says more than that the time is over. */
function outOfTime(failure: AttemptFailure | null): AttemptFailure {
  return failure === null
    ? failureOf({ kind: 'out-of-time', detail: 'no endpoint had room in time' })
    : { ...failure, kind: 'out-of-time' }
}

function deadlinesOf(state: GatewayState, exchange: Exchange, model: ModelName): Deadlines {
  const own = modelConfig(state, model)?.timeouts
  const of = (name: keyof TimeoutsConfig): number =>
    own?.[name] ?? state.config.gateway.timeouts[name] ?? defaultTimeouts[name]
  return {
    connectMs: of('connectMs'),
    firstByteMs: of('firstByteMs'),
    betweenChunksMs: of('betweenChunksMs'),
    writeStallMs: state.config.gateway.writeStallMs,
    totalAtMs: exchange.startedMs + of('totalMs'),
  }
}

/** Only what the file says: `constructor` is a name like any other. */
function modelConfig(state: GatewayState, model: ModelName): ModelConfig | undefined {
  const { models } = state.config
  return Object.hasOwn(models, model) ? models[model] : undefined
}
