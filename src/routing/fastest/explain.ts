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
} from '#routing/fastest/judge.ts'
import type { Refusal, RouteRequest } from '#routing/filter.ts'
import { firstRefusal, routeRequest } from '#routing/route.ts'

interface Decision {
  readonly request: DispatchRequest
  /** Null where nobody takes it. */
  readonly chosen: EndpointModel | null
  readonly nowMs: number
  /** What is judged by, with what the endpoint holds of the prompt. Valid until the next call. */
  readonly facts: (model: EndpointModel) => Facts
  readonly lossMax: number
  /** How many more there are than those told of. */
  readonly leftOut: number
}

/** A record whose verdict may still change. */
type Draft = { -readonly [Field in keyof CandidateRecord]: CandidateRecord[Field] }

/** Made for every request, so it makes nothing but what is kept. */
export function predictionRecord(
  models: readonly EndpointModel[],
  decision: Decision,
): DecisionRecord {
  const { request, chosen, nowMs, leftOut } = decision
  const asked = routeRequest(request, nowMs)
  const judgement = newJudgement()
  const candidates: Draft[] = []
  let runnerUp: Draft | null = null
  let runnerUpCostMs = Number.POSITIVE_INFINITY
  for (const model of models) {
    const facts = decision.facts(model)
    const refusal = judged(judgement, model, facts, asked, decision)
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
  return {
    atMs: nowMs,
    model: request.model,
    strategy: 'fastest',
    scoreMeaning:
      'predicted milliseconds until the answer is complete; in the choice, those to its first ' +
      'token and what a prefix hit saves count more',
    candidates,
    leftOut,
  }
}

/** All of a group, or the one that was chosen and some that might have been. */
export function worthTelling(
  group: EndpointGroup,
  chosen: EndpointModel,
): readonly EndpointModel[] {
  if (group.all.length <= explainedMax) return group.all
  const others = group.cheapest([], () => 0).filter((model) => model !== chosen)
  return [chosen, ...others.slice(0, explainedMax - 1)]
}

/**
 * Of a request that is refused: all of a group, or some of those that rules let it go to, the best
 * first. Asked for every refusal of an overload, so it stops at the first that are enough.
 */
export function mightHaveTaken(
  group: EndpointGroup,
  { constraint }: DispatchRequest,
): readonly EndpointModel[] {
  if (group.all.length <= explainedMax) return group.all
  const isOpen = ({ id }: EndpointModel): boolean => (constraint?.refuse(id) ?? null) === null
  const told = new Set(group.cheapest([], () => 0).filter(isOpen))
  for (const model of group.all) {
    if (told.size === explainedMax) break
    if (isOpen(model)) told.add(model)
  }
  return [...told]
}

/** What stands against an endpoint; fills `judgement` in. */
function judged(
  judgement: Judgement,
  model: EndpointModel,
  facts: Facts,
  asked: RouteRequest,
  { request, nowMs, lossMax }: Decision,
): Refusal | null {
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
  }
}
