/**
 * Which endpoint, now? Filters say who may take the request, a picker chooses one of those, and
 * the record keeps what both of them saw.
 */
import type { EndpointView } from '#core/endpoint.ts'
import {
  type CandidateRecord,
  type Decision,
  type DecisionRecord,
  explainedMax,
  type WhyNone,
} from '#routing/decision.ts'
import type { FilteredRequest } from '#routing/dispatcher.ts'
import type { Refusal, RouteRequest } from '#routing/filter.ts'
import { available } from '#routing/filters/available.ts'
import { hasRoom } from '#routing/filters/has-room.ts'
import { notCooling } from '#routing/filters/not-cooling.ts'
import { notTried } from '#routing/filters/not-tried.ts'
import { permitted } from '#routing/filters/permitted.ts'
import type { Pick } from '#routing/picker.ts'

/** What chose, for records. */
interface Strategy {
  readonly name: string
  readonly scoreMeaning: string
}

/**
 * `endpoints` are those that serve the model, `pick` is asked with at least one. Reads them only;
 * the caller obeys the decision. A record is made where somebody wants it `explained`.
 */
export function route<Endpoint extends EndpointView>(
  request: RouteRequest,
  endpoints: readonly Endpoint[],
  strategy: Strategy,
  pick: (candidates: readonly Endpoint[]) => Pick,
  explained: boolean,
): Decision<Endpoint> {
  const refusals: (Refusal | null)[] = []
  const eligible: Endpoint[] = []
  for (const endpoint of endpoints) {
    const refusal = firstRefusal(request, endpoint)
    refusals.push(refusal)
    if (refusal === null) eligible.push(endpoint)
  }
  if (eligible.length === 0) {
    const because = whyNone(refusals)
    return because === null ? { kind: 'wait' } : { kind: 'refuse', because }
  }
  const picked = pickAmong(eligible, preferredOf(request, eligible), pick)
  return {
    kind: 'forward',
    endpoint: eligible[picked.chosen] as Endpoint,
    record: explained ? recordOf(request, endpoints, refusals, strategy, picked) : null,
  }
}

/** Those that lack least of what rules prefer; all of them where no rule prefers any. */
function preferredOf<Endpoint extends EndpointView>(
  { constraint }: RouteRequest,
  eligible: readonly Endpoint[],
): readonly Endpoint[] {
  if (constraint === null) return eligible
  const misses = eligible.map(({ id }) => constraint.misses(id))
  const least = Math.min(...misses)
  const preferred = eligible.filter((_endpoint, index) => misses[index] === least)
  return preferred.length === eligible.length ? eligible : preferred
}

/** The pick in terms of all who are eligible; who is not preferred was not looked at. */
function pickAmong<Endpoint extends EndpointView>(
  eligible: readonly Endpoint[],
  preferred: readonly Endpoint[],
  pickPreferred: (preferred: readonly Endpoint[]) => Pick,
): Pick {
  const pick = pickPreferred(preferred)
  if (preferred === eligible) return pick
  const scores = new Map(preferred.map((endpoint, index) => [endpoint, pick.scores[index] ?? null]))
  return {
    chosen: eligible.indexOf(preferred[pick.chosen] as Endpoint),
    scores: eligible.map((endpoint) => scores.get(endpoint) ?? null),
  }
}

/** The question that filters are asked about a request. */
export function routeRequest(request: FilteredRequest, nowMs: number): RouteRequest {
  const { model, excluded, constraint } = request
  return { model, nowMs, tried: excluded, turnNow: 0, constraint }
}

/**
 * In this order, so that "not permitted" is reported before "failed", and that before "full". One
 * after the other instead of from a list: this is asked of every endpoint at every decision.
 */
export function firstRefusal(request: RouteRequest, endpoint: EndpointView): Refusal | null {
  return (
    permitted(request, endpoint) ??
    available(request, endpoint) ??
    notTried(request, endpoint) ??
    notCooling(request, endpoint) ??
    hasRoom(request, endpoint)
  )
}

/**
 * Null when waiting helps: some endpoint is only full, loading or being probed. Otherwise the
 * reason, the most hopeful one first.
 */
export function whyNone(refusals: readonly (Refusal | null)[]): WhyNone | null {
  let coolingUntilMs = Number.POSITIVE_INFINITY
  let tried = false
  let constrained = 0
  let tooShort = 0
  for (const refusal of refusals) {
    if (refusal === null) continue
    if (refusal.kind === 'rule' || refusal.kind === 'script') constrained++
    if (refusal.kind === 'context') tooShort++
    if (isPassing(refusal)) return null
    if (refusal.kind === 'cooling') coolingUntilMs = Math.min(coolingUntilMs, refusal.untilMs)
    if (refusal.kind === 'tried') tried = true
  }
  if (refusals.length > 0 && constrained + tooShort === refusals.length) {
    return { kind: tooShort > 0 ? 'too-long' : 'not-permitted' }
  }
  if (tried) return { kind: 'all-tried' }
  if (coolingUntilMs < Number.POSITIVE_INFINITY) {
    return { kind: 'cooling', untilMs: coolingUntilMs }
  }
  return { kind: 'none-ready' }
}

/** Whether waiting helps by itself: it is over as soon as others are served, or the endpoint is up. */
export function isPassing(refusal: Refusal): boolean {
  return (
    refusal.kind === 'full' ||
    refusal.kind === 'probing' ||
    (refusal.kind === 'state' && refusal.state === 'loading')
  )
}

/** Whether no waiting changes it: rules and script of the user, how long a context is, what an engine can. */
export function isLasting({ kind }: Refusal): boolean {
  return kind === 'rule' || kind === 'script' || kind === 'context' || kind === 'begun'
}

/** What a record of this decision says; of a large fleet, of those that mattered most. */
export function recordOf(
  request: RouteRequest,
  endpoints: readonly EndpointView[],
  refusals: readonly (Refusal | null)[],
  strategy: Strategy,
  pick: Pick | null,
): DecisionRecord {
  const runnerUp = pick === null ? -1 : runnerUpOf(pick)
  const told = worthTelling(refusals, pick, runnerUp)
  const candidates: CandidateRecord[] = []
  let place = -1
  endpoints.forEach((endpoint, index) => {
    const refusal = refusals[index] ?? null
    if (refusal === null) place++
    if (told !== null && !told.has(index)) return
    candidates.push({
      endpoint: endpoint.id,
      verdict:
        refusal !== null || pick === null
          ? 'refused'
          : place === pick.chosen
            ? 'chosen'
            : place === runnerUp
              ? 'runner-up'
              : 'eligible',
      refusal,
      score: refusal === null && pick !== null ? (pick.scores[place] ?? null) : null,
      state: endpoint.state,
      inFlight: endpoint.inFlight,
      weight: endpoint.weight,
      slowStartRatio: endpoint.slowStartRatio,
      ttftMs: endpoint.ttftMs,
      tpotMs: null,
      isGuess: false,
    })
  })
  return {
    atMs: request.nowMs,
    model: request.model,
    strategy: strategy.name,
    scoreMeaning: strategy.scoreMeaning,
    candidates,
    leftOut: endpoints.length - candidates.length,
    explores: false,
  }
}

/**
 * By index: the chosen one and the runner-up, then who might have been chosen, then who may take it
 * soon, then the others. Null where all are told of.
 */
function worthTelling(
  refusals: readonly (Refusal | null)[],
  pick: Pick | null,
  runnerUp: number,
): ReadonlySet<number> | null {
  if (refusals.length <= explainedMax) return null
  const ranks: [number[], number[], number[], number[]] = [[], [], [], []]
  const [best, eligible, passing, others] = ranks
  let place = -1
  refusals.forEach((refusal, index) => {
    if (refusal === null) place++
    const isBest =
      refusal === null && pick !== null && (place === pick.chosen || place === runnerUp)
    const rank = isBest ? best : refusal === null ? eligible : isPassing(refusal) ? passing : others
    if (rank.length < explainedMax) rank.push(index)
  })
  return new Set(ranks.flat().slice(0, explainedMax))
}

function runnerUpOf(pick: Pick): number {
  let best = -1
  for (let index = 0; index < pick.scores.length; index++) {
    const score = pick.scores[index] ?? null
    if (index === pick.chosen || score === null) continue
    if (best === -1 || score < (pick.scores[best] as number)) best = index
  }
  return best
}
