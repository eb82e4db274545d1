/** Passes an engine's own refusal on: its status and its words, in the shape of the API called. */
import { MotleyError } from '#core/errors.ts'
import { answerHeaders } from '#gateway/answer-headers.ts'
import type { AttemptFailure } from '#gateway/attempt-failure.ts'
import type { Exchange } from '#gateway/exchange.ts'
import { attemptsText } from '#gateway/final-error.ts'
import { forwardedAnswerHeaders } from '#gateway/headers.ts'

/** Throws `engine_failed` when there is no refusal to pass on, or no status line to put it in. */
export function passRefusal(exchange: Exchange, failure: AttemptFailure): void {
  const { response, route } = exchange
  const { answer, status } = failure
  if (answer === null || status === null || response.headersSent) {
    throw new MotleyError('engine_failed', attemptsText(exchange))
  }
  if (route.api.isErrorBody(answer.body.toString('utf8'))) {
    response.writeHead(status, [
      ...forwardedAnswerHeaders(answer.headers),
      'content-length',
      String(answer.body.length),
      ...answerHeaders(exchange),
    ])
    response.end(answer.body)
    return
  }
  const body = Buffer.from(
    JSON.stringify(
      route.api.errorBody({
        status,
        code: `engine_${status}`,
        message: failure.engineMessage ?? `The engine answered HTTP ${status}.`,
        param: null,
      }),
    ),
  )
  const retryAfter = answer.headers['retry-after']
  response.writeHead(status, [
    'content-type',
    'application/json',
    'content-length',
    String(body.length),
    ...(retryAfter === undefined ? [] : ['retry-after', String(retryAfter)]),
    ...answerHeaders(exchange),
  ])
  response.end(body)
}
