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
  const costs = new Map<CandidateRecord, number>()
  const candidates = models.map((model) => {
    const { record, cost } = candidateOf(model, decision)
    costs.set(record, cost)
    return record
  })
  const costOfRecord = (record: CandidateRecord) => costs.get(record) ?? Number.POSITIVE_INFINITY
  const runnerUp = candidates
    .filter(({ endpoint, verdict }) => verdict === 'eligible' && endpoint !== chosen.id)
    .sort((left, right) => costOfRecord(left) - costOfRecord(right))[0]
  return {
    atMs: nowMs,
    model: request.model,
    strategy: 'fastest',
    scoreMeaning:
      'predicted milliseconds until the answer is complete; in the choice, those to its first ' +
      'token and what a prefix hit saves count more',
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
): { readonly record: CandidateRecord; readonly cost: number } {
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
  const record: CandidateRecord = {
    endpoint: model.id,
    verdict: refusal === null ? 'eligible' : 'refused',
    refusal,
    score: judgement.ttftMs + known.expectedTokens * judgement.tpotMs,
    state: view.state,
    inFlight: model.inFlight,
    weight: view.weight,
    slowStartRatio: view.slowStartRatio,
    ttftMs: judgement.ttftMs,
    tpotMs: judgement.tpotMs,
  }
  return { record, cost: costOf(judgement, known) }
}
