/** The decision records as JSON: one whole, and the newest in a line each. */
import type { RequestRecord } from '#gateway/decision-log.ts'
import type { AttemptRecord } from '#gateway/exchange.ts'
import { refusalWords } from '#gateway/refusal-words.ts'
import type { DecisionRecord } from '#routing/decision.ts'
import type { Refusal } from '#routing/filter.ts'
import { isLasting, isPassing } from '#routing/route.ts'

/** One request of the list; `GET /admin/v1/decisions/{id}` says the rest. */
export interface DecisionRow {
  readonly requestId: string
  readonly arrivedAtMs: number
  /** As the client wrote it; empty where it wrote none. */
  readonly model: string
  readonly answeredModel: string | null
  /** Where it was tried last; null where it was nowhere. */
  readonly endpoint: string | null
  /** Where its answer began, if that broke off and the last was asked for the rest. */
  readonly begunBy: string | null
  /** How often it was tried, the rest of an answer that broke off included. */
  readonly attempts: number
  readonly status: number
  /** `ok`, the code of the error that its client was told, or what came of the last attempt. */
  readonly outcome: string
  readonly ttftMs: number | null
  readonly totalMs: number
}

export function decisionRow(record: RequestRecord): DecisionRow {
  const { requestId, arrivedAtMs, model, answeredModel, status, ttftMs, totalMs } = record
  const last = record.attempts.at(-1)
  return {
    ...{ requestId, arrivedAtMs, model, answeredModel },
    endpoint: last?.endpoint ?? null,
    begunBy: last?.isRest === true ? begunBy(record.attempts) : null,
    attempts: record.attempts.length,
    status,
    outcome: record.refused?.code ?? last?.outcome ?? 'the client left',
    ...{ ttftMs, totalMs },
  }
}

/** Where an answer began that others were asked to go on with. */
export function begunBy(attempts: readonly AttemptRecord[]): string | null {
  return attempts.findLast(({ isRest }) => !isRest)?.endpoint ?? null
}

/** Inside, times are of a clock that starts with the gateway; here, all count from the arrival. */
export function decisionPage<Known extends Pick<RequestRecord, 'startedMs' | 'decisions'>>({
  startedMs,
  decisions,
  ...record
}: Known) {
  return { ...record, decisions: decisions.map((decision) => sinceArrival(decision, startedMs)) }
}

function sinceArrival({ atMs, candidates, ...decision }: DecisionRecord, startedMs: number) {
  return {
    atMs: atMs - startedMs,
    ...decision,
    candidates: candidates.map(({ refusal, ...candidate }) => ({
      ...candidate,
      refusal: refusal === null ? null : refusalPage(refusal, startedMs),
    })),
  }
}

/** With its words, so that who reads it need not know every kind, and whether waiting helps. */
export function refusalPage(refusal: Refusal, startedMs: number) {
  return {
    ...refusal,
    ...(refusal.kind === 'cooling' ? { untilMs: refusal.untilMs - startedMs } : {}),
    words: refusalWords(refusal).cell,
    passes: isPassing(refusal) ? 'soon' : isLasting(refusal) ? 'never' : 'later',
  } as const
}
