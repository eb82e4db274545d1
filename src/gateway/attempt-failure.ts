import type { IncomingHttpHeaders } from 'node:http'
import type { Evidence } from '#core/endpoint-health.ts'
import type { Outcome } from '#gateway/endpoint-stats.ts'
import { retryAfterSeconds } from '#gateway/headers.ts'
import { errorMessageIn, isContextOverflow } from '#openai/engine-error.ts'
import type { FailureKind } from '#routing/retry.ts'

/** Why nothing reached the client. */
export interface AttemptFailure {
  readonly kind: FailureKind
  /** What was seen, in a few words, for people. */
  readonly detail: string
  /** The HTTP status of an engine's refusal; null when none came. */
  readonly status: number | null
  readonly retryAfterSeconds: number | null
  /** What the engine said, whole. */
  readonly engineMessage: string | null
  /** The engine's own answer, for errors that are passed on as they are. */
  readonly answer: { readonly headers: IncomingHttpHeaders; readonly body: Buffer } | null
}

export type KnownOfFailure = Partial<AttemptFailure> & Pick<AttemptFailure, 'kind' | 'detail'>

/** Of one that no engine answered with a status: what is not known is null. */
export function failureOf(known: KnownOfFailure): AttemptFailure {
  return {
    status: null,
    retryAfterSeconds: null,
    engineMessage: null,
    answer: null,
    ...known,
  }
}

/** An HTTP error of an engine, and what it says of the endpoint; null where it says nothing. */
export interface Refusal {
  readonly failure: AttemptFailure
  readonly outcome: Outcome
  readonly evidence: Evidence | null
}

export function readRefusal(
  status: number,
  headers: IncomingHttpHeaders,
  body: Buffer,
  nowMs: number,
): Refusal {
  const text = body.toString('utf8')
  const message = errorMessageIn(text)
  const detail = message === null ? `${status}` : `${status} "${message.slice(0, 200)}"`
  const refusal = (kind: FailureKind, outcome: Outcome, evidence: Evidence | null): Refusal => ({
    failure: {
      kind,
      detail,
      status,
      retryAfterSeconds: retryAfterSeconds(header(headers['retry-after']), nowMs),
      engineMessage: message,
      answer: { headers, body },
    },
    outcome,
    evidence,
  })
  if (status === 429) return refusal('rate-limited', 'rate-limited', null)
  if (status === 503) {
    return refusal('unavailable', 'server-error', { kind: 'unavailable', detail })
  }
  if (status >= 500 || status === 408) {
    return refusal('server-error', 'server-error', { kind: 'failure', detail })
  }
  const isTooLarge = status === 413 || isContextOverflow(status, text)
  return refusal(isTooLarge ? 'too-large' : 'refused', 'client-error', { kind: 'success' })
}

function header(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
