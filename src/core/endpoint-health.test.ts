import { expect, test } from 'vitest'
import {
  afterCheck,
  afterRequest,
  type EndpointHealth,
  type HealthCheck,
  newHealth,
  openMs,
  slowStartRatio,
  stateOf,
} from '#core/endpoint-health.ts'

const failure = { kind: 'failure', detail: '500' } as const
const success = { kind: 'success' } as const
const state = (health: EndpointHealth, nowMs: number, inFlight = 0) =>
  stateOf(health, { nowMs, inFlight, maxInFlight: null })
const check = (
  health: EndpointHealth,
  verdict: HealthCheck['verdict'],
  nowMs = 0,
  inFlight = 0,
  progressAtMs = 0,
) => afterCheck(health, { verdict, detail: null }, { nowMs, inFlight, progressAtMs })
const times = (count: number, health: EndpointHealth, evidence: typeof failure | typeof success) =>
  Array.from({ length: count }).reduce<EndpointHealth>(
    (now) => afterRequest(now, evidence, 0),
    health,
  )

test('one bad check of a present endpoint is forgiven, the second is not', () => {
  const present = check(newHealth(0), 'ready')
  const once = check(present, 'silent')
  expect(state(once, 0)).toBe('ready')
  expect(state(check(once, 'silent'), 0)).toBe('failed')
  expect(state(check(check(once, 'ready'), 'silent'), 0)).toBe('ready')
})

test('loading is not dead, and what failed before it loaded is forgotten', () => {
  const loading = check(times(5, check(newHealth(0), 'ready'), failure), 'loading')
  expect(state(loading, 0)).toBe('loading')
  expect(afterRequest(loading, { kind: 'unavailable', detail: '503' }, 0)).toBe(loading)
  expect(state(check(loading, 'ready'), 0)).toBe('ready')
})

test('running requests excuse a silent check for a while, and nothing excuses a refused one', () => {
  const present = check(newHealth(0), 'ready')
  const busy = check(check(present, 'silent', 30_000, 1), 'silent', 40_000, 1)
  expect(state(busy, 40_000, 1)).toBe('busy')
  const late = check(check(busy, 'silent', 90_000, 1), 'silent', 91_000, 1)
  expect(state(late, 91_000, 1)).toBe('failed')
  const flowing = check(check(busy, 'silent', 90_000, 1, 89_000), 'silent', 91_000, 1, 90_500)
  expect(state(flowing, 91_000, 1)).toBe('busy')
  expect(state(check(check(busy, 'refused'), 'refused'), 40_000, 1)).toBe('failed')
})

test('one key that is surely refused takes an endpoint out, five that may be about requests do', () => {
  const present = check(newHealth(0), 'ready')
  const refused = { kind: 'key-refused', detail: '401' } as const
  const sure = afterRequest(present, { ...refused, isCertain: true }, 0)
  expect(state(sure, 0)).toBe('failed')
  expect(sure).toMatchObject({ refusesKey: true, reason: '401' })
  let unsure = present
  for (let count = 0; count < 4; count++) {
    unsure = afterRequest(unsure, { ...refused, isCertain: false }, 0)
  }
  expect(state(unsure, 0)).toBe('ready')
  unsure = afterRequest(unsure, { ...refused, isCertain: false }, 0)
  expect(state(unsure, 0)).toBe('failed')
  expect(unsure.refusesKey).toBe(true)
  expect(afterRequest(unsure, success, openMs).refusesKey).toBe(false)
})

test('five failures in a row open the breaker, and every second one does in twenty', () => {
  const present = check(newHealth(0), 'ready')
  expect(state(times(4, present, failure), 0)).toBe('ready')
  expect(state(times(5, present, failure), 0)).toBe('failed')
  let mixed = present
  for (let round = 0; round < 10; round++) mixed = times(1, times(1, mixed, success), failure)
  expect(state(mixed, 0)).toBe('failed')
})

test('a failed connection opens it at once', () => {
  const health = afterRequest(check(newHealth(0), 'ready'), { kind: 'unreachable', detail: '' }, 0)
  expect(state(health, 0)).toBe('failed')
})

test('an open breaker lets one through after its pause, longer after each failure', () => {
  const open = times(5, check(newHealth(0), 'ready'), failure)
  expect(state(open, openMs - 1)).toBe('failed')
  expect(state(open, openMs)).toBe('failing')
  const again = afterRequest(open, failure, openMs)
  expect(state(again, openMs + 2 * openMs - 1)).toBe('failed')
  expect(state(again, openMs + 2 * openMs)).toBe('failing')
  expect(state(afterRequest(again, success, 4 * openMs), 4 * openMs)).toBe('ready')
})

test('a health page that lies does not close the breaker', () => {
  const open = times(5, check(newHealth(0), 'ready'), failure)
  expect(state(check(open, 'ready', 500), 500)).toBe('failed')
})

test('weight comes back in tenths after a recovery', () => {
  const back = check(
    check(check(check(newHealth(0), 'ready'), 'refused'), 'refused'),
    'ready',
    1000,
  )
  expect([1000, 2999, 6000, 11_000].map((nowMs) => slowStartRatio(back, nowMs, 10_000))).toEqual([
    0.1, 0.1, 0.5, 1,
  ])
  expect(slowStartRatio(back, 1000, 0)).toBe(1)
})
