/**
 * Has one model after another try to answer: the one that was asked for first, then its fallbacks.
 * One layer retries, this one and `model-tries.ts` below it, within a count and a budget: all of an
 * answer while no byte of it has reached the client, and then only the rest.
 */
import { MotleyError } from '#core/errors.ts'
import type { ModelName } from '#core/ids.ts'
import { AnswerSoFar } from '#gateway/answer-so-far.ts'
import { type AttemptFailure, tellingFailure } from '#gateway/attempt-failure.ts'
import type { Exchange, UnservedModel } from '#gateway/exchange.ts'
import { finalError, notServed } from '#gateway/final-error.ts'
import { firstReports } from '#gateway/first-reports.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import { mayUse } from '#gateway/key-ring.ts'
import { modelConfig } from '#gateway/model-config.ts'
import { tryModel } from '#gateway/model-tries.ts'
import { passRefusal } from '#gateway/pass-refusal.ts'
import { type AwaitedModel, waitForReturn } from '#gateway/wait-for-return.ts'
import { isAwake, waitForWake } from '#gateway/wait-for-wake.ts'
import type { WhyNone } from '#routing/decision.ts'

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
  const { continuation, stream } = route.api
  const { config, formFields } = state
  if (asked?.stream !== true || asked.choices !== 1 || !config.gateway.retries.continueAnswers) {
    return null
  }
  const bytes = body?.inMemory ?? null
  if (continuation === undefined || stream === null || bytes === null) return null
  const { framing } = stream
  return new AnswerSoFar(continuation, { task: route.task, framing, body: bytes, formFields })
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
  let end = await tryModels(state, exchange, models, null)
  while (end !== null && (await waitForReturn(state, exchange, end.awaited))) {
    end = await tryModels(state, exchange, models, end.failure)
  }
  if (end === null || exchange.clientGone) return
  const { failure, none } = end
  if (exchange.brokeOff !== null) throw finalError(state, exchange, failure, none)
  if (failure?.kind === 'refused' || failure?.kind === 'too-large') passRefusal(exchange, failure)
  else throw finalError(state, exchange, failure, none)
}

/** Why none of some models could answer. */
interface NoAnswer {
  /** The last attempt's; null when there was none. */
  readonly failure: AttemptFailure | null
  readonly none: WhyNone | null
  /** Those of which somebody may come back. */
  readonly awaited: readonly AwaitedModel[]
}

/** One after the other; null where one has answered, or the client has left. */
async function tryModels(
  state: GatewayState,
  exchange: Exchange,
  models: readonly ModelName[],
  failureBefore: AttemptFailure | null,
): Promise<NoAnswer | null> {
  let failure = failureBefore
  let none: WhyNone | null = null
  const awaited: AwaitedModel[] = []
  for (const [index, model] of models.entries()) {
    const end = await tryModel(state, exchange, model, models.length - index - 1)
    if (end.kind !== 'failed') return null
    if (end.failure !== null) failure = tellingFailure(failure, end.failure)
    none = end.none ?? none
    if (end.awaited !== null) awaited.push(end.awaited)
    if (!end.mayFallBack) break
  }
  return { failure, none, awaited }
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
