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

/** What the gateway shows an endpoint of itself. */
export type Credentials = 'api-key' | 'url' | 'none'

const keyWords: Readonly<Record<Credentials, string>> = {
  'api-key': 'refuses the apiKey that is set for it',
  url: 'refuses the user and password in its url',
  none: 'wants a key: set its apiKey',
}

/**
 * Of two failed attempts of one request the one that says more of why nobody answered: an endpoint
 * that is asked with a wrong key could not have answered at all.
 */
export function tellingFailure(before: AttemptFailure | null, now: AttemptFailure): AttemptFailure {
  return now.kind === 'key-refused' ? (before ?? now) : now
}

export function readRefusal(
  status: number,
  headers: IncomingHttpHeaders,
  body: Buffer,
  { nowMs, credentials }: { readonly nowMs: number; readonly credentials: Credentials },
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
  // The client's own key was checked here and goes no further: this is about the gateway's.
  if (status === 401 || status === 403) {
    const why = `it ${keyWords[credentials]} (${detail})`
    const evidence: Evidence = { kind: 'key-refused', detail: why, isCertain: status === 401 }
    const { failure, ...rest } = refusal('key-refused', 'key-refused', evidence)
    return { ...rest, failure: { ...failure, detail: why } }
  }
  const isTooLarge = status === 413 || isContextOverflow(status, text)
  return refusal(isTooLarge ? 'too-large' : 'refused', 'client-error', { kind: 'success' })
}

function header(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
