/** What is known of requests that are not over, beside the records of those that are. */
import type { Exchange } from '#gateway/exchange.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import { begunBy, decisionPage } from '#gateway/pages/decisions.ts'
import { requestSoFar } from '#gateway/request-so-far.ts'

/** What it is at now: not yet read whole, waiting for an endpoint, or waiting for an answer of one. */
type Stage =
  | { readonly kind: 'arriving' }
  /** `endpoint`: nobody is there who could have room. */
  | { readonly kind: 'waiting'; readonly for: 'room' | 'endpoint'; readonly forMs: number }
  | {
      readonly kind: 'asking'
      readonly endpoint: string
      readonly attempt: number
      /** It was asked for the rest of an answer that broke off elsewhere. */
      readonly isRest: boolean
      /** How long after its arrival the request was sent there. */
      readonly sentAfterMs: number
    }

/** One request of the list; `GET /admin/v1/decisions/{id}` says the rest. */
export interface RunningRow {
  readonly requestId: string
  readonly arrivedAtMs: number
  /** As the client wrote it; empty where that is not read yet. */
  readonly model: string
  /** The one it was tried for last. */
  readonly answeredModel: string | null
  readonly stage: Stage
  /** Where its answer began, if that broke off. */
  readonly begunBy: string | null
  readonly ttftMs: number | null
  /** How long it has been here. */
  readonly totalMs: number
}

/** The newest first. */
export function runningRows(state: GatewayState, count: number): readonly RunningRow[] {
  const nowMs = state.nowMs()
  return [...state.running]
    .sort((one, other) => other.startedMs - one.startedMs)
    .slice(0, count)
    .map((exchange) => {
      const so = requestSoFar(exchange, nowMs - exchange.startedMs)
      const { requestId, arrivedAtMs, model, answeredModel, ttftMs, totalMs } = so
      return {
        ...{ requestId, arrivedAtMs, model, answeredModel },
        stage: stageOf(exchange, nowMs),
        begunBy: exchange.brokeOff === null ? null : begunBy(exchange.attempts),
        ...{ ttftMs, totalMs },
      }
    })
}

/** The newest of that id, as a record without an end; null where none runs. */
export function runningPage(state: GatewayState, requestId: string) {
  const exchange = [...state.running].findLast(({ id }) => id === requestId)
  if (exchange === undefined) return null
  const nowMs = state.nowMs()
  return {
    ...decisionPage(requestSoFar(exchange, nowMs - exchange.startedMs)),
    status: null,
    running: stageOf(exchange, nowMs),
  }
}

function stageOf(
  { asked, underWay, startedMs, attempts, brokeOff }: Exchange,
  nowMs: number,
): Stage {
  if (asked === null) return { kind: 'arriving' }
  const waitsFor = underWay?.waitsFor ?? { kind: 'room' }
  const sinceMs = underWay?.sinceMs ?? nowMs
  if (waitsFor.kind !== 'answer') {
    return { kind: 'waiting', for: waitsFor.kind, forMs: nowMs - sinceMs }
  }
  return {
    kind: 'asking',
    endpoint: waitsFor.endpoint,
    attempt: attempts.length + 1,
    isRest: brokeOff !== null,
    sentAfterMs: sinceMs - startedMs,
  }
}
