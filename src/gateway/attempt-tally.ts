/** What one attempt came to: the tokens it spent, its record, and the figures of its endpoint. */
import type { Evidence } from '#core/endpoint-health.ts'
import type { ModelName } from '#core/ids.ts'
import { isInWords } from '#core/task.ts'
import type { AnswerRest } from '#gateway/answer-rest.ts'
import type { Outcome } from '#gateway/endpoint-stats.ts'
import type { AttemptRecord, Exchange } from '#gateway/exchange.ts'
import type { AnswerRelay } from '#gateway/relay.ts'
import type { SentRequest } from '#gateway/sent-request.ts'
import { spentTokens } from '#gateway/spent-tokens.ts'

interface Attempted {
  readonly exchange: Exchange
  readonly sent: SentRequest
  readonly model: ModelName
  readonly rest: AnswerRest | null
}

/** Of the answer, as far as it went. */
export function tallyTokens(
  { exchange, sent, rest }: Attempted,
  relay: AnswerRelay,
  isWhole: boolean,
): void {
  exchange.usage = relay.usage()
  // Nothing was generated for a request that no engine began to answer.
  if (exchange.ttftMs === null) return
  const isReported = isWhole && (exchange.usage?.completionTokens ?? 0) > 0
  const events = isReported || !isInWords(exchange.route.task) ? null : relay.contentEvents()
  const { promptTokens } = sent.request
  const spent = spentTokens(exchange.usage, events, { promptTokens, isWhole })
  exchange.spent = rest === null ? spent : rest.spent(exchange.spent, spent)
  if (spent === null) return
  const { stats } = sent.endpoint
  stats.promptTokens += spent.promptTokens
  stats.completionTokens += spent.completionTokens
}

/** Counts the attempt out; `relay` is null where no answer began. After {@link tallyTokens}. */
export function tallyEnd(
  { exchange, sent, model, rest }: Attempted,
  relay: AnswerRelay | null,
  end: {
    readonly startedMs: number
    readonly nowMs: number
    readonly outcome: Outcome
    /** What it says of the endpoint; null where that is nothing. */
    readonly evidence: Evidence | null
    /** What came of it, and the same without the engine's words, for the log. */
    readonly words: string
    readonly loggedWords: string
  },
): void {
  const { endpoint } = sent
  const { startedMs, nowMs } = end
  const durationMs = nowMs - startedMs
  const { ttftMs, tpotMs } = paceOf({ exchange, sent }, relay, end)
  exchange.attempts.push({
    endpoint: endpoint.id,
    model,
    outcome: end.words,
    loggedOutcome: end.loggedWords,
    sentAfterMs: startedMs - exchange.startedMs,
    durationMs,
    isRest: rest !== null,
    ttftMs,
    tpotMs,
    predicted: sent.predicted,
  })
  endpoint.stats.end(end.outcome)
  endpoint.stats.totalMs.add(durationMs)
  sent.end(end.evidence, exchange.usage)
}

/** How fast a stream came that ends now. */
function paceOf(
  { exchange, sent }: Pick<Attempted, 'exchange' | 'sent'>,
  relay: AnswerRelay | null,
  { startedMs, nowMs }: { readonly startedMs: number; readonly nowMs: number },
): Pick<AttemptRecord, 'ttftMs' | 'tpotMs'> {
  const firstAtMs = relay?.streams === true ? relay.firstByteAtMs : null
  if (firstAtMs === null) return noPace
  const tokens = exchange.usage?.completionTokens ?? sent.eventsSeen
  return {
    ttftMs: firstAtMs - startedMs,
    tpotMs: tokens > 1 ? (nowMs - firstAtMs) / (tokens - 1) : null,
  }
}

/** Of what is no stream. */
const noPace = { ttftMs: null, tpotMs: null }
