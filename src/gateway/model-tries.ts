/**
 * The tries of a request for one model, at one endpoint after another, until one answers or there is
 * nobody left. Each is three steps:
 *
 *   place     an endpoint that may take it, now or after waiting for one
 *   attempt   it is asked, and its answer goes to the client as it comes
 *   settle    what came of it: another endpoint, the same once more, the next model, the end
 */
import { defaultTimeouts, type TimeoutsConfig } from '#core/config/gateway.ts'
import type { ServedModel } from '#core/endpoint.ts'
import { MotleyError } from '#core/errors.ts'
import type { EndpointId, ModelName } from '#core/ids.ts'
import type { AnswerRest } from '#gateway/answer-rest.ts'
import { type AttemptEnd, attempt } from '#gateway/attempt.ts'
import { type AttemptFailure, failureOf, tellingFailure } from '#gateway/attempt-failure.ts'
import { withBegunLimit } from '#gateway/begun-limit.ts'
import { choosePlace, type Place as FoundPlace } from '#gateway/choose-place.ts'
import { constraintFor } from '#gateway/constraint.ts'
import { withContextLimit } from '#gateway/context-limit.ts'
import type { Endpoint } from '#gateway/endpoint.ts'
import type { Exchange } from '#gateway/exchange.ts'
import { servedModel } from '#gateway/fleet.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import { modelConfig } from '#gateway/model-config.ts'
import { withPatience } from '#gateway/patience.ts'
import type { SentRequest } from '#gateway/sent-request.ts'
import { type AwaitedModel, mayWaitForReturn } from '#gateway/wait-for-return.ts'
import type { Deadlines } from '#gateway/watchdog.ts'
import type { Constraint } from '#routing/constraint.ts'
import type { WhyNone } from '#routing/decision.ts'
import { type FailureKind, planRetry, type RetryPlan } from '#routing/retry.ts'

/** Why a model could not answer. */
export type ModelEnd =
  | { readonly kind: 'answered' }
  | { readonly kind: 'gone' }
  | {
      readonly kind: 'failed'
      /** The last attempt's; null when there was none. */
      readonly failure: AttemptFailure | null
      readonly none: WhyNone | null
      /** Whether a fallback model may be tried. */
      readonly mayFallBack: boolean
      /** Whose return it would wait for with half an answer; null where no return helps. */
      readonly awaited: AwaitedModel | null
    }

/** An endpoint that counts the request in already. */
interface Place {
  readonly sent: SentRequest
  readonly served: ServedModel
  /** Null where it begins the answer. */
  readonly rest: AnswerRest | null
  /** What was allowed when it was chosen. */
  readonly constraint: Constraint | null
}

/** `modelsLeft` more may be tried after this one. */
export function tryModel(
  state: GatewayState,
  exchange: Exchange,
  model: ModelName,
  modelsLeft: number,
): Promise<ModelEnd> {
  const begin = (said: Constraint | null): Promise<ModelEnd> => {
    const constraint = withContextLimit(state, exchange, model, said)
    return new ModelTries(state, exchange, { model, modelsLeft, constraint }).untilEnd()
  }
  const asking = constraintFor(state, exchange, model)
  return asking instanceof Promise ? asking.then(begin) : begin(asking)
}

class ModelTries {
  readonly #state: GatewayState
  readonly #exchange: Exchange
  readonly #model: ModelName
  readonly #modelsLeft: number
  readonly #constraint: Constraint | null
  readonly #deadlines: Deadlines
  readonly #tried: EndpointId[] = []
  /** Those that are not to be tried again. */
  #avoided: readonly EndpointId[] = []
  #failure: AttemptFailure | null = null
  #mayResend = true

  constructor(
    state: GatewayState,
    exchange: Exchange,
    so: {
      readonly model: ModelName
      readonly modelsLeft: number
      readonly constraint: Constraint | null
    },
  ) {
    this.#state = state
    this.#exchange = exchange
    this.#model = so.model
    this.#modelsLeft = so.modelsLeft
    this.#constraint = so.constraint
    this.#deadlines = deadlinesOf(state, exchange, so.model)
  }

  async untilEnd(): Promise<ModelEnd> {
    for (;;) {
      if (this.#state.nowMs() >= this.#deadlines.totalAtMs) {
        this.#failure = outOfTime(this.#failure)
        return this.#failed({ mayFallBack: false })
      }
      const constraint = withBegunLimit(this.#state, this.#exchange, this.#model, this.#constraint)
      const asked = this.#choosePlace(constraint)
      // Mostly there is a place at once, and awaiting what is there already takes time too.
      const found = asked instanceof Promise ? await asked : asked
      if (found.kind === 'gone') return found
      if (found.kind === 'none') return this.#failed({ mayFallBack: true, none: found.because })
      const place = this.#placeOf(found.sent, constraint)
      if (place === null) continue
      const came = await this.#attempt(place)
      this.#state.leftFrom(place.sent.endpoint)
      const end = this.#settle(place, came)
      if (end !== null) return end
    }
  }

  #choosePlace(constraint: Constraint | null): Promise<FoundPlace> | FoundPlace {
    return choosePlace(this.#state, this.#exchange, {
      model: this.#model,
      tried: this.#avoided,
      constraint,
      hasFallback: this.#modelsLeft > 0,
      totalAtMs: this.#deadlines.totalAtMs,
    })
  }

  /** Null where it is none any more. */
  #placeOf(sent: SentRequest, constraint: Constraint | null): Place | null {
    const state = this.#state
    const exchange = this.#exchange
    const { endpoint } = sent
    if (exchange.attemptsBegun === 0) state.budget.noteFirstAttempt()
    else if (endpoint.id !== this.#tried.at(-1)) endpoint.stats.redispatches++
    const served = servedModel(endpoint, this.#model)
    const isRest = exchange.brokeOff !== null
    const rest = isRest ? (exchange.soFar?.restAt(endpoint) ?? null) : null
    if (served !== null && (rest !== null || !isRest)) return { sent, served, rest, constraint }
    // A report changed what it serves, or what its engine is, while this request waited for it.
    sent.end(null, null)
    state.leftFrom(endpoint)
    this.#avoided = [...this.#avoided, endpoint.id]
    return null
  }

  #attempt({ sent, served, rest, constraint }: Place): Promise<AttemptEnd> {
    const exchange = this.#exchange
    exchange.attemptsBegun++
    exchange.answeredBy = sent.endpoint.id
    exchange.answeredModel = this.#model
    return attempt({
      exchange,
      sent,
      model: this.#model,
      served,
      deadlines: this.#deadlinesAt(sent, constraint),
      rest,
      mayResend: this.#mayResend,
      nowMs: this.#state.nowMs,
    })
  }

  /** Null where another try is worth it. */
  #settle({ sent: { endpoint }, rest }: Place, end: AttemptEnd): ModelEnd | null {
    const state = this.#state
    const exchange = this.#exchange
    if (end.kind === 'answered') {
      const isContinued = rest !== null && exchange.errorCode === null
      if (isContinued) state.metrics.continued.inc({ model: this.#model })
      return end
    }
    if (end.kind === 'client-gone') return { kind: 'gone' }
    if (end.kind === 'shut-down') throw new MotleyError('draining', null, { retryAfterSeconds: 1 })
    if (end.kind === 'stale') {
      // The endpoint closed an idle connection as we used it: the request never began there.
      this.#mayResend = false
      exchange.attemptsBegun--
      return null
    }
    const { failure } = end
    this.#failure = tellingFailure(this.#failure, failure)
    if (end.kind === 'broke-off') {
      exchange.brokeOff = end.message
      exchange.returnByMs = null
    }
    const { maxAttempts } = state.config.gateway.retries
    const mayRepeat = failure.kind === 'refused' && exchange.attemptsBegun < maxAttempts
    // It would not go on with what another began; it may still say the same from the beginning.
    if (rest !== null && mayRepeat && exchange.soFar?.refusedBy(endpoint) === true) return null
    if (failure.kind === 'unreachable' || failure.kind === 'unavailable') {
      state.suspect(endpoint.id)
    }
    this.#tried.push(endpoint.id)
    this.#avoided = [...this.#avoided, endpoint.id]
    const plan = this.#retryPlan(endpoint, failure)
    if (plan === 'give-up') return this.#failed({ mayFallBack: false })
    // Answers that a machine took with it are no wave of retries: what it had to do is done elsewhere.
    if (end.kind !== 'broke-off' && !state.budget.tryRetry(state.nowMs())) {
      state.metrics.retriesRefused.inc()
      return this.#failed({ mayFallBack: false })
    }
    endpoint.stats.retries++
    if (plan === 'next-model') return this.#failed({ mayFallBack: true })
    if (plan === 'same-endpoint') {
      // Where that is worth waiting for, a check says first whether it is worth one of the attempts.
      if (mayWaitForReturn(state, exchange)) return this.#failed({ mayFallBack: true })
      this.#avoided = []
    }
    return null
  }

  #failed(so: { readonly mayFallBack: boolean; readonly none?: WhyNone }): ModelEnd {
    const { mayFallBack, none = null } = so
    const failure = this.#failure
    const isHopeless = failure !== null && hopeless.has(failure.kind)
    const { totalAtMs } = this.#deadlines
    const awaited = { model: this.#model, constraint: this.#constraint, totalAtMs }
    return { kind: 'failed', failure, none, mayFallBack, awaited: isHopeless ? null : awaited }
  }

  /** Earlier ones where somebody else could begin the stream in place of one that does not begin. */
  #deadlinesAt(sent: SentRequest, constraint: Constraint | null): Deadlines {
    const exchange = this.#exchange
    if (exchange.asked?.stream !== true) return this.#deadlines
    const hasOther = this.#state.fleet
      .serving(this.#model, exchange.route.task)
      .some(
        (other) =>
          other !== sent.endpoint &&
          other.state === 'ready' &&
          !this.#avoided.includes(other.id) &&
          (constraint?.refuse(other.id) ?? null) === null,
      )
    const { lateFirstByteMs } = this.#state.config.gateway.retries
    return hasOther
      ? withPatience(this.#deadlines, sent.predicted, lateFirstByteMs)
      : this.#deadlines
  }

  #retryPlan(endpoint: Endpoint, failure: AttemptFailure): RetryPlan {
    const model = this.#model
    const tried = this.#tried
    const others = this.#state.fleet
      .serving(model, this.#exchange.route.task)
      .filter((other) => !tried.includes(other.id) && other.state !== 'failed')
    const contextTokens = servedModel(endpoint, model)?.contextTokens ?? null
    return planRetry({
      failure: failure.kind,
      attempts: this.#exchange.attemptsBegun,
      maxAttempts: this.#state.config.gateway.retries.maxAttempts,
      endpointsTried: new Set(tried).size,
      triesHere: tried.filter((id) => id === endpoint.id).length,
      othersLeft: others.length,
      largerLeft: others.some((other) => {
        const context = servedModel(other, model)?.contextTokens ?? null
        return context === null || contextTokens === null || context > contextTokens
      }),
      modelsLeft: this.#modelsLeft,
    })
  }
}

/** What a machine that comes back would answer alike. */
const hopeless: ReadonlySet<FailureKind> = new Set<FailureKind>([
  'refused',
  'key-refused',
  'too-large',
  'out-of-time',
])

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
