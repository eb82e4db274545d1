import { describe, expect, test } from 'vitest'
import { endpointId, modelName } from '#core/ids.ts'
import type { Exchange } from '#gateway/exchange.ts'
import { finalError } from '#gateway/final-error.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import type { WhyNone } from '#routing/decision.ts'
import type { Refusal } from '#routing/filter.ts'

const forbidden: Refusal = { kind: 'rule', rule: 2, why: 'is not labelled privacy=house' }
const short: Refusal = { kind: 'context', neededTokens: 9_000, contextTokens: 2_048 }
const failed: Refusal = { kind: 'state', state: 'failed' }

/** What is told after a decision that refused these endpoints of these reasons. */
function told(none: WhyNone['kind'], refusals: Readonly<Record<string, Refusal>>, leftOut = 0) {
  return finalErrorOf(none, refusals, leftOut).message
}

function finalErrorOf(
  none: WhyNone['kind'],
  refusals: Readonly<Record<string, Refusal>>,
  leftOut = 0,
) {
  const names = Object.keys(refusals).concat(Array(leftOut).fill('another'))
  const health = { refusesKey: false }
  const reason = 'nothing listens there'
  const endpoints = names.map((id) => ({ id, state: 'failed', reason, health }))
  const state = { fleet: { serving: () => endpoints } } as unknown as GatewayState
  const candidates = Object.entries(refusals).map(([id, refusal]) => ({
    endpoint: endpointId(id),
    refusal,
  }))
  const exchange = {
    id: 'req-1',
    asked: { model: modelName('m'), modelText: 'm' },
    route: { task: 'chat' },
    decisions: [
      { model: 'm', candidates, leftOut },
      { model: 'its fallback', candidates: [], leftOut: 0 },
    ],
  } as unknown as Exchange
  return finalError(state, exchange, null, { kind: none } as WhyNone)
}

describe('what no endpoint may take', () => {
  test('names of each what keeps it away, and only of a script that it was the script', () => {
    expect(told('not-permitted', { a: forbidden, b: { kind: 'script' }, c: short })).toBe(
      'No endpoint may take this request for "m": a is not labelled privacy=house (rule 2); ' +
        'b was left out by routing.script; ' +
        'c has a context of 2048 tokens, and about 9000 are needed. ' +
        'Run `motley why req-1` for what was looked at.',
    )
  })

  test('is not to be asked for again where shorter prompts might be taken', () => {
    const error = finalErrorOf('too-long', { a: forbidden, c: short })
    expect(error).toMatchObject({ code: 'context_length_exceeded', retryAfterSeconds: null })
    expect(error.message).toContain('c has a context of 2048 tokens, and about 9000 are needed')
  })

  test('counts those that the record leaves out', () => {
    expect(told('not-permitted', { a: forbidden }, 9)).toMatch(/\(rule 2\); and 9 more\. Run/)
  })
})

describe('what no endpoint is ready for', () => {
  test('says how each is, while all are down', () => {
    expect(told('none-ready', { a: failed })).toBe(
      'No endpoint that serves "m" is ready: a is failed (nothing listens there).',
    )
  })

  test('says of one that is at work why it may not, and does not call it down', () => {
    expect(told('none-ready', { a: failed, b: forbidden, c: { kind: 'weight-zero' } })).toBe(
      'No endpoint that serves "m" can take this request: a is failed (nothing listens there); ' +
        'b is not labelled privacy=house (rule 2); c has weight 0 and takes nothing new.',
    )
  })

  test('names no more of a large fleet than a record does', () => {
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`e${at}`, failed]))
    expect(told('none-ready', many)).toMatch(/; e15 is failed [^;]+; and 24 more\.$/)
  })
})
