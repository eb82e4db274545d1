/** Why `fastest` chose as it did: every endpoint with what was predicted for it. */
import type { CandidateRecord, DecisionRecord } from '#routing/decision.ts'
import type { DispatchRequest } from '#routing/dispatcher.ts'
import type { EndpointGroup } from '#routing/fastest/endpoint-group.ts'
import type { EndpointModel } from '#routing/fastest/endpoint-model.ts'
import {
  costOf,
  judge,
  judgeStall,
  judgeWork,
  newJudgement,
  refusalOf,
} from '#routing/fastest/judge.ts'
import { firstRefusal, routeRequest } from '#routing/route.ts'

/** A record of so many candidates takes about as long as the decision that it is of. */
const explainedMax = 16

type Facts = Parameters<typeof judge>[3]

export function predictionRecord(
  models: readonly EndpointModel[],
  decision: {
    readonly request: DispatchRequest
    readonly chosen: EndpointModel
    readonly nowMs: number
    readonly facts: (model: EndpointModel) => Facts
    readonly lossMax: number
    /** How many more there are than `models`. */
    readonly leftOut: number
  },
): DecisionRecord {
  const { request, chosen, nowMs, leftOut } = decision
  const candidates = models.map((model) => candidateOf(model, decision))
  const runnerUp = candidates
    .filter(({ endpoint, verdict }) => verdict === 'eligible' && endpoint !== chosen.id)
    .sort((left, right) => (left.score as number) - (right.score as number))[0]
  return {
    atMs: nowMs,
    model: request.model,
    strategy: 'fastest',
    scoreMeaning:
      'predicted milliseconds until the answer is complete, more for those to its first token, ' +
      'less for a prefix hit',
    candidates: candidates.map((candidate) => {
      if (candidate.endpoint === chosen.id) return { ...candidate, verdict: 'chosen' }
      return candidate === runnerUp ? { ...candidate, verdict: 'runner-up' } : candidate
    }),
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

function candidateOf(
  model: EndpointModel,
  {
    request,
    nowMs,
    facts,
    lossMax,
  }: {
    readonly request: DispatchRequest
    readonly nowMs: number
    readonly facts: (model: EndpointModel) => Facts
    readonly lossMax: number
  },
): CandidateRecord {
  const { view } = model.told
  const judgement = newJudgement()
  const known = facts(model)
  const judgeOf = request.workUnits === null ? judge : judgeWork
  judgeOf(judgement, model, request, known)
  if (judgement.gate === 'none' && request.workUnits === null) {
    judgeStall(judgement, model, nowMs, lossMax)
  }
  const refusal =
    firstRefusal(routeRequest(request, nowMs), view) ??
    (model.isSilent(nowMs) ? { kind: 'silent' } : refusalOf(judgement, model, request, known))
  return {
    endpoint: model.id,
    verdict: refusal === null ? 'eligible' : 'refused',
    refusal,
    score: costOf(judgement, known),
    state: view.state,
    inFlight: model.inFlight,
    weight: view.weight,
    slowStartRatio: view.slowStartRatio,
    ttftMs: judgement.ttftMs,
    tpotMs: judgement.tpotMs,
  }
}
