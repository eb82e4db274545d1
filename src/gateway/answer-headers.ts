/** The headers of ours that every relayed answer has. */
import type { Exchange } from '#gateway/exchange.ts'

export function answerHeaders(exchange: Exchange): string[] {
  const headers = [
    'x-request-id',
    exchange.id,
    'x-motley-endpoint',
    exchange.answeredBy ?? '',
    'x-motley-attempts',
    String(exchange.attemptsBegun),
    'x-motley-queue-ms',
    String(Math.round(exchange.queueMs)),
  ]
  if (exchange.answeredModel !== null && exchange.answeredModel !== exchange.asked?.model) {
    headers.push('x-motley-model', exchange.answeredModel)
  }
  return headers
}
