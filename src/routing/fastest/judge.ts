/**
 * May this request go to that endpoint now? All gates are predictions, none is a count of
 * requests; the first that says no is the reason that is kept.
 */
import type { DispatchRequest } from '#routing/dispatcher.ts'
import { answersLost } from '#routing/fastest/answers-lost.ts'
import type { EndpointModel } from '#routing/fastest/endpoint-model.ts'
import type { FastestTuning } from '#routing/fastest/tuning.ts'
import type { Refusal } from '#routing/filter.ts'

/** Streams keep writing after they were admitted: so much of their answers is kept room for. */
const growthRatio = 0.35
/** Blocks are not quite full, and counts of tokens are estimates. */
const kvRatioMax = 0.98

/** How urgent a request is; decides what a prediction of its TTFT is held against. */
export type Urgency =
  /** It can still start in time. */
  | 'live'
  /** It is late, and it is its turn. */
  | 'late-turn'
  /** It is late, or never has a deadline: it may have what nobody else wants. */
  | 'leftover'

/** What one endpoint would do with one request. Reused from call to call. */
export interface Judgement {
  gate: 'none' | 'seats' | 'kv-cache' | 'ttft' | 'tpot' | 'stall' | 'work'
  /** From now to the first token. */
  ttftMs: number
  tpotMs: number
  newTokens: number
  pairs: number
  /** What is left of prompts that were sent before, and what this one adds. */
  pendingMs: number
  stallMs: number
  /** What the prefix that is held there saves. */
  savedMs: number
  /** Answers that are expected to end badly because of it. */
  loss: number
}

export function newJudgement(): Judgement {
  return {
    gate: 'none',
    ttftMs: 0,
    tpotMs: 0,
    newTokens: 0,
    pairs: 0,
    pendingMs: 0,
    stallMs: 0,
    savedMs: 0,
    loss: 0,
  }
}

/** All that is judged by beside the request and the endpoint. */
export interface Facts {
  /** What the endpoint is thought to hold of the prompt. */
  readonly heldTokens: number
  readonly expectedTokens: number
  readonly urgency: Urgency
  /** Whether no other endpoint serves its model. */
  readonly isOnly: boolean
  readonly isAlone: boolean
  /** The largest KV cache of those that serve its model. */
  readonly kvTokensMax: number
  readonly nowMs: number
  readonly tuning: FastestTuning
}

/** Fills `judgement` in. `ttftMs`, `tpotMs`, tokens and pairs are always set. */
export function judge(
  judgement: Judgement,
  model: EndpointModel,
  request: DispatchRequest,
  facts: Facts,
): void {
  const { heldTokens, nowMs, tuning, urgency } = facts
  const { promptTokens, targets } = request
  model.advance(nowMs)
  const newTokens = Math.max(1, promptTokens - heldTokens)
  const pairs = newTokens * (promptTokens - newTokens / 2)
  const addedMs = model.addedMs(newTokens, pairs)
  const pendingMs = model.pendingMs(nowMs)
  judgement.newTokens = newTokens
  judgement.pairs = pairs
  judgement.ttftMs = model.currentMs() + pendingMs + addedMs + model.work.outstandingMs
  judgement.tpotMs = model.fullStepMs(promptTokens)
  judgement.pendingMs = pendingMs
  judgement.stallMs = addedMs
  judgement.savedMs =
    heldTokens === 0 ? 0 : model.addedMs(promptTokens, promptTokens ** 2 / 2) - addedMs
  judgement.loss = 0
  judgement.gate = 'none'
  const inFlight = model.inFlight
  if (model.seatsTaken + 1 > model.seats || (model.isProbed && !facts.isOnly)) {
    judgement.gate = 'seats'
    return
  }
  const kvTokens = neededTokens(model, request, facts.expectedTokens)
  if (kvTokens > kvRatioMax * model.kvTokens && !mayTryAnyway(model, kvTokens, facts)) {
    judgement.gate = 'kv-cache'
    return
  }
  // What rests on a guess holds nobody back, and an idle endpoint has nobody to protect.
  if (!model.speed.isKnown) return
  if (judgement.ttftMs > ttftLimitMs(request, urgency, nowMs, tuning)) {
    if (urgency !== 'leftover' || inFlight > 0) {
      judgement.gate = 'ttft'
      return
    }
  }
  if (inFlight === 0) return
  if (targets.tpotMs !== null && judgement.tpotMs > tuning.tpotRatioMax * targets.tpotMs) {
    judgement.gate = 'tpot'
    return
  }
}

/**
 * The last gate, which takes longer than the others together: asked of an endpoint that would be
 * chosen. Only after {@link judge}, with the same arguments.
 */
export function judgeStall(
  judgement: Judgement,
  model: EndpointModel,
  nowMs: number,
  lossMax: number,
): void {
  if (model.decoding.length === 0 || !model.speed.isKnown) return
  judgement.loss = answersLost(model.decoding, {
    stepMs: model.stepMs(),
    pendingMs: judgement.pendingMs,
    stallMs: judgement.stallMs,
    nowMs,
  })
  if (judgement.loss > lossMax) judgement.gate = 'stall'
}

/** Whether a request would be late there even if nothing else was. */
export function isTooSlow(
  model: EndpointModel,
  { promptTokens, arrivedAtMs, targets: { ttftMs } }: DispatchRequest,
  heldTokens: number,
  nowMs: number,
): boolean {
  if (ttftMs === null || !model.speed.isKnown) return false
  const newTokens = Math.max(1, promptTokens - heldTokens)
  const pairs = newTokens * (promptTokens - newTokens / 2)
  return model.aloneMs(newTokens, pairs) > ttftMs - (nowMs - arrivedAtMs)
}

/** What is compared: how long the answer takes, less what a prefix hit is worth. */
export function costOf(
  { ttftMs, tpotMs, savedMs }: Judgement,
  facts: {
    readonly expectedTokens: number
    /** Whether no other request waits. */
    readonly isAlone: boolean
    readonly tuning: FastestTuning
  },
): number {
  const { ttftWorth, prefixWorth } = facts.tuning
  const firstMs = (facts.isAlone ? ttftWorth : 1) * ttftMs
  return firstMs + facts.expectedTokens * tpotMs - prefixWorth * savedMs
}

/** How many answers a request may cost, by how much of its time is used up. */
export function lossLimit(
  { arrivedAtMs, targets: { ttftMs } }: DispatchRequest,
  urgency: Urgency,
  nowMs: number,
  { lossMax, urgentLossMax, ttftRatioMax }: FastestTuning,
): number {
  if (urgency !== 'live' || ttftMs === null) return lossMax
  const used = Math.min(1, (nowMs - arrivedAtMs) / (ttftRatioMax * ttftMs))
  return lossMax + (urgentLossMax - lossMax) * used * used
}

/**
 * More work than this is not sent ahead: what comes meanwhile, of other clients and other tasks,
 * has its turn in between.
 */
const workAheadMs = 1_000

/** The same for work that is not counted in tokens; all of its time is to the first byte. */
export function judgeWork(
  judgement: Judgement,
  model: EndpointModel,
  request: DispatchRequest,
  { nowMs }: { readonly nowMs: number },
): void {
  model.advance(nowMs)
  const { work } = model
  judgement.newTokens = 0
  judgement.pairs = 0
  judgement.pendingMs = model.pendingMs(nowMs)
  judgement.ttftMs = judgement.pendingMs + work.outstandingMs + work.ownMs(request)
  judgement.tpotMs = 0
  judgement.stallMs = 0
  judgement.savedMs = 0
  judgement.loss = 0
  judgement.gate = 'none'
  if (model.seatsTaken + 1 > model.seats) judgement.gate = 'seats'
  else if (work.count > 0 && work.outstandingMs > workAheadMs) judgement.gate = 'work'
}

/** KV cache in use there once the request is there, with room for what is still to be written. */
function neededTokens(
  model: EndpointModel,
  { promptTokens }: DispatchRequest,
  expectedTokens: number,
): number {
  return model.takenTokens + promptTokens + growthRatio * (model.answerTokens + expectedTokens)
}

/**
 * Whether it gets a prompt that seems to need more KV cache than it has: no wait makes more room
 * than there is when nothing else is there. The tokens are an estimate, the engine counts them.
 */
function mayTryAnyway(
  model: EndpointModel,
  kvTokens: number,
  { kvTokensMax }: { readonly kvTokensMax: number },
): boolean {
  if (model.seatsTaken > 0) return false
  return model.told.limits.kvTokens === null || kvTokens > kvRatioMax * kvTokensMax
}

/** Where nobody says how soon, leftovers are what the usual interactive request would not notice. */
const leftoverMs = 600

/** How long from now the first token may take. */
function ttftLimitMs(
  { targets: { ttftMs }, arrivedAtMs }: DispatchRequest,
  urgency: Urgency,
  nowMs: number,
  { ttftRatioMax, lateTtftRatio }: FastestTuning,
): number {
  switch (urgency) {
    case 'live':
      return ttftMs === null
        ? Number.POSITIVE_INFINITY
        : ttftRatioMax * ttftMs - (nowMs - arrivedAtMs)
    case 'late-turn':
      return ttftMs ?? Number.POSITIVE_INFINITY
    case 'leftover':
      return ttftMs === null ? leftoverMs : lateTtftRatio * ttftMs
  }
}

/** The gate in words and numbers, for a decision record. */
export function refusalOf(
  { gate, ttftMs, tpotMs, stallMs, loss }: Judgement,
  model: EndpointModel,
  request: DispatchRequest,
  facts: {
    readonly expectedTokens: number
    readonly urgency: Urgency
    readonly nowMs: number
    readonly tuning: FastestTuning
  },
): Refusal | null {
  switch (gate) {
    case 'none':
      return null
    case 'seats':
      return model.seats === Number.POSITIVE_INFINITY
        ? { kind: 'untried' }
        : { kind: 'full', inFlight: model.inFlight, maxInFlight: Math.floor(model.seats) }
    case 'kv-cache':
      return {
        kind: 'kv-cache',
        neededTokens: Math.round(neededTokens(model, request, facts.expectedTokens)),
        kvTokens: model.kvTokens,
      }
    case 'ttft':
      return {
        kind: 'ttft',
        predictedMs: ttftMs,
        leftMs: ttftLimitMs(request, facts.urgency, facts.nowMs, facts.tuning),
      }
    case 'tpot':
      return { kind: 'tpot', predictedMs: tpotMs, targetMs: request.targets.tpotMs ?? 0 }
    case 'stall':
      return { kind: 'stall', stallMs, answersLost: loss }
    case 'work':
      return { kind: 'work', aheadMs: model.work.outstandingMs }
  }
}
