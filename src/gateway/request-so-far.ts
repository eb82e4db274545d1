import type { RequestRecord } from '#gateway/decision-log.ts'
import type { Exchange } from '#gateway/exchange.ts'

/** The record of a request that is `totalMs` old, over or not, without how it ended. */
export function requestSoFar(exchange: Exchange, totalMs: number): Omit<RequestRecord, 'status'> {
  const { errorCode, errorMessage } = exchange
  return {
    requestId: exchange.id,
    arrivedAtMs: Math.round(Date.now() - totalMs),
    startedMs: exchange.startedMs,
    model: exchange.asked?.modelText ?? '',
    answeredModel: exchange.answeredModel,
    decisions: exchange.decisions,
    unserved: exchange.unserved,
    scriptFailures: exchange.scriptFailures,
    attempts: exchange.attempts,
    queueMs: exchange.queueMs,
    awayMs: exchange.awayMs,
    ttftMs: exchange.ttftMs,
    totalMs,
    refused: errorCode === null ? null : { code: errorCode, message: errorMessage ?? '' },
  }
}
