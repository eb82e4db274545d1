/** The end of every request: counted, logged, recorded, however it came to its end. */

import { isInWords } from '#core/task.ts'
import { clientGone } from '#gateway/access-line.ts'
import type { Exchange } from '#gateway/exchange.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import { requestSoFar } from '#gateway/request-so-far.ts'

export function account(state: GatewayState, exchange: Exchange): void {
  const totalMs = state.nowMs() - exchange.startedMs
  const status =
    exchange.clientGone && exchange.errorCode === null ? clientGone : exchange.response.statusCode
  const { asked } = exchange
  // A name that only a client made up must not become a label of a metric.
  const model = asked !== null && state.fleet.knows(asked.model) ? asked.model : 'unknown'
  state.metrics.noteEnd(exchange, model, status, totalMs)
  const { answeredModel, usage } = exchange
  if (asked !== null && exchange.attemptsBegun > 0 && status < 400) {
    state.demand.noteAnswer(asked.model, totalMs - exchange.queueMs)
  }
  // Of an answer that went on elsewhere, the engine counts a part with the prompt.
  const isWhole = exchange.brokeOff === null
  if (isWhole && usage !== null && answeredModel !== null && isInWords(exchange.route.task)) {
    const text = exchange.body?.text ?? null
    if (text !== null) state.promptSizes.learn(answeredModel, text, usage.promptTokens)
  }
  if (exchange.decisions.length > 0 || exchange.errorCode !== null) {
    state.decisions.add({ ...requestSoFar(exchange, totalMs), status })
  }
  if (!state.accessLog.wanted) return
  state.accessLog.write({
    time: new Date().toISOString(),
    requestId: exchange.id,
    key: exchange.key?.name ?? null,
    api: exchange.route.api.name,
    model: asked?.modelText ?? null,
    answeredModel: exchange.answeredModel,
    stream: asked?.stream ?? false,
    status,
    error: exchange.errorCode,
    endpoint: exchange.answeredBy,
    attempts: exchange.attempts.map(
      ({ endpoint, loggedOutcome }) => `${endpoint}: ${loggedOutcome}`,
    ),
    queueMs: Math.round(exchange.queueMs),
    ttftMs: exchange.ttftMs === null ? null : Math.round(exchange.ttftMs),
    totalMs: Math.round(totalMs),
    promptTokens: exchange.spent?.promptTokens ?? null,
    cachedTokens: exchange.spent?.cachedTokens ?? null,
    completionTokens: exchange.spent?.completionTokens ?? null,
    tokensCounted: exchange.spent?.counted ?? false,
    events: exchange.events,
    bytesOut: exchange.bytesOut,
  })
}
