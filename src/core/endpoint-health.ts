/**
 * Whether an endpoint is well, from what active checks said and from how its requests ended.
 * Pure: an immutable value, and functions to the next one, with time as an argument.
 *
 * Two kinds of evidence, and neither may overrule the other alone. A health page can lie while
 * every request fails; an engine deep in a prefill can miss its health page while its streams
 * flow. So checks decide about presence (does anything listen, is it loading), and requests decide
 * about work (does it answer).
 */
import type { EndpointState } from '#core/endpoint.ts'

/** How a request ended, as far as it says something about the endpoint. */
export type Evidence =
  | { readonly kind: 'success' }
  /** Nothing listens there, or the connection could not be made in time. */
  | { readonly kind: 'unreachable'; readonly detail: string }
  /** It answered with 5xx, broke the connection, fell silent or sent nonsense. */
  | { readonly kind: 'failure'; readonly detail: string }
  /** It does not let this gateway in. Certain where no other request would be let in either. */
  | { readonly kind: 'key-refused'; readonly detail: string; readonly isCertain: boolean }
  /** It said 503. A failure, unless its check says that it is loading. */
  | { readonly kind: 'unavailable'; readonly detail: string }

export interface HealthCheck {
  readonly verdict: 'ready' | 'loading' | 'refused' | 'silent' | 'unhealthy'
  readonly detail: string | null
}

export type Breaker =
  | { readonly kind: 'closed' }
  | { readonly kind: 'open'; readonly untilMs: number }
  /** Open is over: one request at a time is let through to see. */
  | { readonly kind: 'half-open' }

export interface EndpointHealth {
  /** What the checks amount to; null before the first one. */
  readonly presence: 'present' | 'loading' | 'absent' | null
  /** Bad checks in a row. */
  readonly badChecks: number
  readonly breaker: Breaker
  /** Whether the breaker opened because the key of this gateway is refused there. */
  readonly refusesKey: boolean
  /** How often the breaker has opened since the last success; each time it stays open longer. */
  readonly openings: number
  /** Failed requests in a row. */
  readonly failuresInARow: number
  /** The last outcomes, newest in the lowest bit, 1 for a failure. */
  readonly recentBits: number
  /** The last sign of life: a good check, or a whole answer. */
  readonly aliveAtMs: number
  /** A check is overdue although requests are running. */
  readonly slowToCheck: boolean
  readonly draining: boolean
  /** Since when it ramps up to its full weight. */
  readonly rampFromMs: number
  /** Why it is not ready, in a few words; null when it is. */
  readonly reason: string | null
}

/**
 * Five in a row, or half of the last twenty: a lone 500 is an accident of one request, and an
 * engine that fails every second one is worse than none. A black hole that fails at once draws all
 * traffic under any counting strategy, so the breaker is what stops it.
 */
const failuresToOpen = 5
const recentWindow = 20
const recentFailuresToOpen = 10

/** First pause of an open breaker; doubles up to the longest, which bounds how late we notice. */
export const openMs = 1_000
export const openMsMax = 15_000

/** Checks in a row that must fail before silence counts; a refused connection needs as many. */
const badChecksToFail = 2

/** How long running requests excuse a missed check: a prefill of 100,000 tokens on a small GPU. */
export const busyGraceMs = 60_000

export function newHealth(nowMs: number): EndpointHealth {
  return {
    presence: null,
    badChecks: 0,
    breaker: { kind: 'closed' },
    refusesKey: false,
    openings: 0,
    failuresInARow: 0,
    recentBits: 0,
    aliveAtMs: nowMs,
    slowToCheck: false,
    draining: false,
    rampFromMs: nowMs,
    reason: null,
  }
}

export function afterCheck(
  health: EndpointHealth,
  check: HealthCheck,
  now: {
    readonly nowMs: number
    readonly inFlight: number
    /** When the last byte of any answer came from there. */
    readonly progressAtMs: number
  },
): EndpointHealth {
  switch (check.verdict) {
    case 'ready': {
      const back = health.presence !== 'present'
      const present: EndpointHealth = {
        ...health,
        presence: 'present',
        badChecks: 0,
        slowToCheck: false,
        aliveAtMs: now.nowMs,
        rampFromMs: back ? now.nowMs : health.rampFromMs,
        reason: health.breaker.kind === 'closed' ? null : health.reason,
      }
      // What was away or loading starts anew: what failed then says nothing about now.
      return back && health.presence !== null ? closed(present, now.nowMs) : present
    }
    case 'loading':
      return {
        ...health,
        presence: 'loading',
        badChecks: 0,
        slowToCheck: false,
        aliveAtMs: now.nowMs,
        reason: check.detail ?? 'loading',
      }
    case 'silent':
      if (
        now.inFlight > 0 &&
        now.nowMs - Math.max(health.aliveAtMs, now.progressAtMs) < busyGraceMs
      ) {
        return { ...health, slowToCheck: true, reason: 'slow to answer its health check' }
      }
      return afterBadCheck(health, check)
    case 'refused':
    case 'unhealthy':
      return afterBadCheck(health, check)
  }
}

function afterBadCheck(health: EndpointHealth, check: HealthCheck): EndpointHealth {
  const badChecks = health.badChecks + 1
  const detail = check.detail ?? check.verdict
  // An endpoint that was never seen, or that is loading, has nothing to lose by one bad check.
  const gone = badChecks >= badChecksToFail || health.presence !== 'present'
  return {
    ...health,
    badChecks,
    presence: gone ? 'absent' : health.presence,
    slowToCheck: false,
    reason: detail,
  }
}

export function afterRequest(
  health: EndpointHealth,
  evidence: Evidence,
  nowMs: number,
): EndpointHealth {
  switch (evidence.kind) {
    case 'success': {
      const counted = countOutcome({ ...health, aliveAtMs: nowMs, failuresInARow: 0 }, 0)
      return health.breaker.kind === 'closed' ? counted : closed(counted, nowMs)
    }
    case 'unreachable':
      // Out at the first failed connection: nothing is gained by sending a second request there.
      return opened(countOutcome(health, 1), evidence.detail, nowMs)
    case 'key-refused': {
      const next = evidence.isCertain
        ? opened(countOutcome(health, 1), evidence.detail, nowMs)
        : afterFailure(health, evidence.detail, nowMs)
      return { ...next, refusesKey: next.breaker.kind !== 'closed' }
    }
    case 'unavailable':
      if (health.presence === 'loading') return health
      return afterFailure(health, evidence.detail, nowMs)
    case 'failure':
      return afterFailure(health, evidence.detail, nowMs)
  }
}

function afterFailure(health: EndpointHealth, detail: string, nowMs: number): EndpointHealth {
  const failuresInARow = health.failuresInARow + 1
  const counted = countOutcome({ ...health, failuresInARow }, 1)
  const open =
    breakerAt(health, nowMs).kind !== 'closed' ||
    failuresInARow >= failuresToOpen ||
    onesIn(counted.recentBits) >= recentFailuresToOpen
  return open ? opened(counted, detail, nowMs) : { ...counted, reason: null }
}

/** The breaker as it stands now: open ones become half-open by the passing of time. */
export function breakerAt(health: EndpointHealth, nowMs: number): Breaker {
  return health.breaker.kind === 'open' && nowMs >= health.breaker.untilMs
    ? { kind: 'half-open' }
    : health.breaker
}

export function stateOf(
  health: EndpointHealth,
  now: { readonly nowMs: number; readonly inFlight: number; readonly maxInFlight: number | null },
): EndpointState {
  if (health.draining) return 'draining'
  if (health.presence === 'loading') return 'loading'
  if (health.presence === 'absent') return 'failed'
  switch (breakerAt(health, now.nowMs).kind) {
    case 'open':
      return 'failed'
    case 'half-open':
      return 'failing'
    case 'closed':
      break
  }
  const full = now.maxInFlight !== null && now.inFlight >= now.maxInFlight
  return full || health.slowToCheck ? 'busy' : 'ready'
}

/**
 * The share of its weight an endpoint has while it ramps up, never nothing. It rises in tenths, so
 * that two that came back together are equals and not ordered by the milliseconds between them.
 */
export function slowStartRatio(health: EndpointHealth, nowMs: number, slowStartMs: number): number {
  if (slowStartMs <= 0) return 1
  return Math.min(1, Math.max(1, Math.floor(((nowMs - health.rampFromMs) / slowStartMs) * 10)) / 10)
}

function closed(health: EndpointHealth, nowMs: number): EndpointHealth {
  return {
    ...health,
    breaker: { kind: 'closed' },
    refusesKey: false,
    openings: 0,
    failuresInARow: 0,
    recentBits: 0,
    rampFromMs: nowMs,
    reason: null,
  }
}

function opened(health: EndpointHealth, reason: string, nowMs: number): EndpointHealth {
  // Requests that were under way when it opened fail too; they are no news.
  const still = breakerAt(health, nowMs).kind === 'open'
  const pauseMs = Math.min(openMsMax, openMs * 2 ** health.openings)
  return {
    ...health,
    breaker: still ? health.breaker : { kind: 'open', untilMs: nowMs + pauseMs },
    refusesKey: false,
    openings: still ? health.openings : health.openings + 1,
    reason,
  }
}

function countOutcome(health: EndpointHealth, bit: 0 | 1): EndpointHealth {
  return {
    ...health,
    recentBits: ((health.recentBits << 1) | bit) & (2 ** recentWindow - 1),
  }
}

function onesIn(bits: number): number {
  let ones = 0
  for (let rest = bits; rest !== 0; rest &= rest - 1) ones++
  return ones
}
