/**
 * An answer has begun, and nobody can go on with it now: a machine that comes back may. Who has
 * heard nothing yet is told by a status, and asks again; who has half a stream does not.
 */
import type { ModelName } from '#core/ids.ts'
import { withBegunLimit } from '#gateway/begun-limit.ts'
import type { Endpoint } from '#gateway/endpoint.ts'
import type { Exchange } from '#gateway/exchange.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import { untilThere } from '#gateway/until-there.ts'
import type { Constraint } from '#routing/constraint.ts'
import type { CandidateRecord, DecisionRecord } from '#routing/decision.ts'
import type { Refusal } from '#routing/filter.ts'
import { firstRefusal, isLasting } from '#routing/route.ts'
import { waitingRecord } from '#routing/waiting-record.ts'

/** A model that could not go on with the answer now. */
export interface AwaitedModel {
  readonly model: ModelName
  /** What rules and script of the user say of its endpoints. */
  readonly constraint: Constraint | null
  /** When the whole request must be over. */
  readonly totalAtMs: number
}

/** Whether its client has heard of an answer that somebody could go on with, now or later. */
export function mayWaitForReturn(
  { config }: GatewayState,
  { brokeOff, soFar, response, attemptsBegun }: Exchange,
): boolean {
  const { returnMs, maxAttempts } = config.gateway.retries
  if (!response.headersSent || returnMs === 0 || attemptsBegun >= maxAttempts) return false
  return brokeOff === null || soFar?.canGoOn === true
}

/**
 * Whether somebody of these models goes on with it, after waiting for that. What is known of them
 * is of the time before: they are checked at once, and looked at with the next report.
 */
export async function waitForReturn(
  state: GatewayState,
  exchange: Exchange,
  models: readonly AwaitedModel[],
): Promise<boolean> {
  if (!mayWaitForReturn(state, exchange)) return false
  const sinceMs = state.tick()
  const hopeful = models.filter((awaited) => {
    const serving = servingNow(state, exchange, awaited)
    const able = serving.filter((endpoint) => {
      const refusal = refusalNow(state, exchange, awaited, endpoint)
      return refusal === null || !isLasting(refusal)
    })
    for (const { id } of able) state.suspect(id)
    // Of a model that nobody serves now, who comes may be another.
    return serving.length === 0 || able.length > 0
  })
  const [first] = hopeful
  exchange.returnByMs ??= sinceMs + state.config.gateway.retries.returnMs
  const untilMs = Math.min(exchange.returnByMs, ...hopeful.map(({ totalAtMs }) => totalAtMs))
  if (first === undefined || untilMs <= sinceMs) return false
  const isBack = (awaited: AwaitedModel): boolean =>
    servingNow(state, exchange, awaited).some(
      (endpoint) =>
        isWellSince(endpoint, sinceMs) && isOpen(refusalNow(state, exchange, awaited, endpoint)),
    )
  const waited = await untilThere(state, exchange, {
    model: first.model,
    timeoutMs: untilMs - sinceMs,
    looksAtOnce: false,
    isThere: () => hopeful.some(isBack),
  })
  const waitedMs = state.tick() - sinceMs
  exchange.queueMs += waitedMs
  const isThere = waited === 'there'
  const records = isThere ? [] : hopeful.map((awaited) => recordNow(state, exchange, awaited))
  exchange.decisions.push(...records)
  // One that rests after a 429, or has no weight, was there all the same.
  if (!records.some(({ candidates }) => candidates.some(isAtWork))) exchange.awayMs += waitedMs
  return isThere
}

/** What stood against each in the end. */
function recordNow(state: GatewayState, exchange: Exchange, awaited: AwaitedModel): DecisionRecord {
  const { model } = awaited
  const constraint = withBegunLimit(state, exchange, model, awaited.constraint)
  return waitingRecord(
    { model, excluded: [], constraint },
    servingNow(state, exchange, awaited),
    state.config.routing.strategy,
    state.nowMs(),
  )
}

function isAtWork({ state }: CandidateRecord): boolean {
  return state === 'ready' || state === 'busy'
}

function servingNow(
  state: GatewayState,
  { route }: Exchange,
  { model }: AwaitedModel,
): readonly Endpoint[] {
  return state.fleet.serving(model, route.task)
}

/** What stands against it, were it asked again. */
function refusalNow(
  state: GatewayState,
  { brokeOff, soFar }: Exchange,
  { model, constraint }: AwaitedModel,
  endpoint: Endpoint,
): Refusal | null {
  // Of what broke off before its first byte, anybody can tell all.
  const isAble = brokeOff === null || soFar?.canGoOnAt(endpoint) === true
  if (!isAble) return { kind: 'begun' }
  const asked = { model, nowMs: state.nowMs(), tried: [], turnNow: 0, constraint }
  return firstRefusal(asked, endpoint)
}

/** It would be taken now, or as soon as there is room. */
function isOpen(refusal: Refusal | null): boolean {
  return refusal === null || refusal.kind === 'full' || refusal.kind === 'probing'
}

/** As a check has said; of who is not checked, what is known of it is all there is. */
function isWellSince({ health, config }: Endpoint, sinceMs: number): boolean {
  return health.aliveAtMs > sinceMs || !config.health.enabled
}
