/** Why `fastest` chose as it did: every endpoint with what was predicted for it. */
import { type CandidateRecord, type DecisionRecord, explainedMax } from '#routing/decision.ts'
import type { DispatchRequest } from '#routing/dispatcher.ts'
import type { EndpointGroup } from '#routing/fastest/endpoint-group.ts'
import type { EndpointModel } from '#routing/fastest/endpoint-model.ts'
import {
  costOf,
  type Facts,
  type Judgement,
  judge,
  judgeStall,
  judgeWork,
  newJudgement,
  refusalOf,
  type Urgency,
} from '#routing/fastest/judge.ts'
import type { Outlook } from '#routing/fastest/outlook.ts'
import type { Waiting } from '#routing/fastest/waiting-line.ts'
import type { Refusal, RouteRequest } from '#routing/filter.ts'
import { firstRefusal, isLasting, routeRequest } from '#routing/route.ts'

/** A record whose verdict may still change. */
type Draft = { -readonly [Field in keyof CandidateRecord]: CandidateRecord[Field] }

/** Of a request that is sent. Made for every one, so it makes nothing but what is kept. */
export function decisionRecord(
  outlook: Outlook,
  decided: Decided & { readonly chosen: EndpointModel },
): DecisionRecord {
  const { waiting, chosen, nowMs } = decided
  const told = worthTelling(outlook.group(waiting.request, nowMs), chosen)
  return recordOf(outlook, told, decided)
}

/** Of one that nobody took in time. */
export function refusalRecord(outlook: Outlook, waiting: Waiting, nowMs: number): DecisionRecord {
  const { request } = waiting
  const told = mightHaveTaken(outlook.group(request, nowMs), request)
  return recordOf(outlook, told, {
    waiting,
    chosen: null,
    explores: false,
    urgency: 'leftover',
    nowMs,
  })
}

interface Decided {
  readonly waiting: Waiting
  /** Null where nobody takes it. */
  readonly chosen: EndpointModel | null
  readonly explores: boolean
  readonly urgency: Urgency
  readonly nowMs: number
}

function recordOf(
  outlook: Outlook,
  models: readonly EndpointModel[],
  { waiting, chosen, explores, urgency, nowMs }: Decided,
): DecisionRecord {
  const { request } = waiting
  const facts = outlook.facts(waiting, urgency, nowMs)
  const lossMax = outlook.lossMax(waiting, urgency, nowMs)
  const asked = routeRequest(request, nowMs)
  const judgement = newJudgement()
  const candidates: Draft[] = []
  let runnerUp: Draft | null = null
  let runnerUpCostMs = Number.POSITIVE_INFINITY
  for (const model of models) {
    facts.heldTokens = outlook.heldTokens(model, request)
    const refusal = judged(judgement, model, facts, asked, request, lossMax)
    const candidate = candidateOf(model, judgement, facts.expectedTokens, refusal)
    candidates.push(candidate)
    if (chosen === null) candidate.verdict = 'refused'
    else if (model === chosen) candidate.verdict = 'chosen'
    else if (refusal === null) {
      const costMs = costOf(judgement, facts)
      if (costMs >= runnerUpCostMs) continue
      runnerUpCostMs = costMs
      runnerUp = candidate
    }
  }
  if (runnerUp !== null) runnerUp.verdict = 'runner-up'
  const told = mostTelling(candidates)
  return {
    atMs: nowMs,
    model: request.model,
    strategy: 'fastest',
    scoreMeaning:
      'predicted milliseconds until the answer is complete; in the choice, those to its first ' +
      'token and what a prefix hit saves count more',
    candidates: told,
    leftOut: outlook.group(request, nowMs).all.length - told.length,
    explores,
  }
}

/** All of a group, or of a large one that which was chosen and some that might have been. */
function worthTelling(group: EndpointGroup, chosen: EndpointModel): readonly EndpointModel[] {
  if (group.isSmall) return group.all
  const others = group.cheapest([], () => 0).filter((model) => model !== chosen)
  return [chosen, ...others.slice(0, explainedMax - 1)]
}

/**
 * Of a request that is refused: all of a group, or of a large one some that rules let it go to, the
 * best first. Asked for every refusal of an overload, so it stops at the first that are enough.
 */
function mightHaveTaken(
  group: EndpointGroup,
  { constraint }: DispatchRequest,
): readonly EndpointModel[] {
  if (group.isSmall) return group.all
  const isOpen = ({ id }: EndpointModel): boolean => (constraint?.refuse(id) ?? null) === null
  const told = new Set(group.cheapest([], () => 0).filter(isOpen))
  for (const model of group.all) {
    if (told.size === explainedMax) break
    if (isOpen(model)) told.add(model)
  }
  return [...told]
}

/** As many as a record tells of: of more, those that came nearest, and the nearest first. */
function mostTelling(candidates: readonly Draft[]): readonly Draft[] {
  if (candidates.length <= explainedMax) return candidates
  return candidates
    .toSorted((one, other) => distance(one) - distance(other) || scoreOf(one) - scoreOf(other))
    .slice(0, explainedMax)
}

function distance({ verdict, refusal }: Draft): number {
  if (verdict === 'chosen') return 0
  if (verdict === 'runner-up') return 1
  if (refusal === null) return 2
  return isLasting(refusal) ? 4 : 3
}

const scoreOf = ({ score }: Draft) => score ?? Number.POSITIVE_INFINITY

/** What stands against an endpoint; fills `judgement` in. */
function judged(
  judgement: Judgement,
  model: EndpointModel,
  facts: Facts,
  asked: RouteRequest,
  request: DispatchRequest,
  lossMax: number,
): Refusal | null {
  const { nowMs } = facts
  if (request.workUnits === null) {
    judge(judgement, model, request, facts)
    if (judgement.gate === 'none') judgeStall(judgement, model, nowMs, lossMax)
  } else judgeWork(judgement, model, request, facts)
  const refusal = firstRefusal(asked, model.told.view)
  if (refusal !== null) return refusal
  return model.isSilent(nowMs) ? { kind: 'silent' } : refusalOf(judgement, model, request, facts)
}

function candidateOf(
  model: EndpointModel,
  { ttftMs, tpotMs }: Judgement,
  expectedTokens: number,
  refusal: Refusal | null,
): Draft {
  const { view } = model.told
  return {
    endpoint: model.id,
    verdict: refusal === null ? 'eligible' : 'refused',
    refusal,
    score: ttftMs + expectedTokens * tpotMs,
    state: view.state,
    inFlight: model.inFlight,
    weight: view.weight,
    slowStartRatio: view.slowStartRatio,
    ttftMs,
    tpotMs,
    isGuess: !model.speed.isKnown,
  }
}
