/** The decision records as JSON: one whole, and the newest in a line each. */
import type { RequestRecord } from '#gateway/decision-log.ts'
import type { DecisionRecord } from '#routing/decision.ts'

/** One request of the list; `GET /admin/v1/decisions/{id}` says the rest. */
export interface DecisionRow {
  readonly requestId: string
  readonly arrivedAtMs: number
  /** As the client wrote it; empty where it wrote none. */
  readonly model: string
  readonly answeredModel: string | null
  /** Where it was tried last; null where it was nowhere. */
  readonly endpoint: string | null
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
    attempts: record.attempts.length,
    status,
    outcome: record.refused?.code ?? last?.outcome ?? 'the client left',
    ...{ ttftMs, totalMs },
  }
}

/** Inside, times are of a clock that starts with the gateway; here, all count from the arrival. */
export function decisionPage({ startedMs, decisions, ...record }: RequestRecord) {
  return { ...record, decisions: decisions.map((decision) => sinceArrival(decision, startedMs)) }
}

function sinceArrival(decision: DecisionRecord, startedMs: number): DecisionRecord {
  return {
    ...decision,
    atMs: decision.atMs - startedMs,
    candidates: decision.candidates.map((candidate) => {
      const { refusal } = candidate
      return refusal?.kind === 'cooling'
        ? { ...candidate, refusal: { ...refusal, untilMs: refusal.untilMs - startedMs } }
        : candidate
    }),
  }
}
