/** Where a request goes after an attempt that reached no client. Pure: the gateway obeys it. */

export type FailureKind =
  | 'unreachable'
  | 'reset'
  /** One phase took too long. */
  | 'timeout'
  /** The time for the whole request is used up. */
  | 'out-of-time'
  | 'server-error'
  | 'unavailable'
  | 'rate-limited'
  /** The endpoint does not let the gateway in; another one may. */
  | 'key-refused'
  /** The request does not fit this endpoint; one with larger limits may take it. */
  | 'too-large'
  /** The request is wrong, and would be everywhere. */
  | 'refused'

export interface RetryQuestion {
  readonly failure: FailureKind
  /** Attempts of this request so far, for whatever model. */
  readonly attempts: number
  readonly maxAttempts: number
  /** How many endpoints of this model were tried, and how often the one that failed last was. */
  readonly endpointsTried: number
  readonly triesHere: number
  /** Endpoints of this model that were not tried and are not known to be down. */
  readonly othersLeft: number
  /** Whether one of those may take longer prompts than the one that failed. */
  readonly largerLeft: boolean
  /** Fallback models after this one. */
  readonly modelsLeft: number
}

export type RetryPlan = 'elsewhere' | 'same-endpoint' | 'next-model' | 'give-up'

/**
 * Another endpoint first; the same one once more when it is the only one and failed in a way that
 * passes; then the fallback models, for which one attempt is kept.
 */
export function planRetry(question: RetryQuestion): RetryPlan {
  const { failure, attempts, maxAttempts, modelsLeft } = question
  if (failure === 'refused' || failure === 'out-of-time') return 'give-up'
  if (attempts >= maxAttempts) return 'give-up'
  const otherwise = modelsLeft > 0 ? 'next-model' : 'give-up'
  if (modelsLeft > 0 && attempts >= maxAttempts - 1) return otherwise
  if (failure === 'too-large') return question.largerLeft ? 'elsewhere' : otherwise
  if (question.othersLeft > 0) return 'elsewhere'
  const passes = failure === 'server-error' || failure === 'reset'
  const onlyOne = question.endpointsTried === 1 && question.triesHere === 1
  return passes && onlyOne ? 'same-endpoint' : otherwise
}
