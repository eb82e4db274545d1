import { expect, test } from 'vitest'
import { endpointId, requestId } from '#core/ids.ts'
import type { Dispatcher } from '#routing/dispatcher.ts'
import { Fastest } from '#routing/fastest/fastest.ts'
import { PrefixTrust } from '#routing/fastest/prefix-trust.ts'
import { seededChance } from '#std/seeded-chance.ts'
import { dispatchRequest } from '#testing/dispatch-request.ts'
import { endpointView } from '#testing/endpoint-view.ts'

test('an engine that never finds what should be cached is believed, until it finds something', () => {
  const trust = new PrefixTrust()
  for (let answer = 0; answer < 7; answer++) trust.learn(512, 0)
  expect(trust.holds).toBe(true)
  trust.learn(0, 0) // nothing was expected
  expect(trust.holds).toBe(true)
  trust.learn(512, 0)
  expect(trust.holds).toBe(false)
  trust.learn(0, 16)
  expect(trust.holds).toBe(true)
})

test('a prefix draws requests to who holds it only while engines find it there', () => {
  const dispatcher: Dispatcher = new Fastest({ chance: seededChance(1), explain: false })
  const speed = {
    fixedMs: 0,
    linearMs: [
      [1, 5],
      [2048, 4_000],
    ],
    decodeMsPerContextToken: 0,
    prefillMsPerTokenPair: 0,
  } as const
  // The one that is a little slower has seen the prompt first, as the other was down.
  const at = (state: 'ready' | 'failed') =>
    [
      { name: 'holder', state: 'ready' as const, batchTokens: 1_024 },
      { name: 'other', state, batchTokens: 2_048 },
    ].map(({ name, state, batchTokens }) => ({
      view: endpointView(name, { state }),
      serves: () => true,
      limits: { seats: 8, kvTokens: 50_000, batchTokens },
      speed,
    }))
  let nowMs = 0
  let count = 0
  const askOnce = (cachedTokens: number) => {
    const id = `r${count++}`
    const prompt = { promptTokens: 1_600, prefixBlocks: [1, 2, 3], prefixBlockTokens: 512 }
    dispatcher.arrive(
      dispatchRequest(id, { ...prompt, arrivedAtMs: nowMs, targets: noTargets }),
      nowMs,
    )
    const dispatch = dispatcher.next(nowMs)
    if (dispatch?.kind !== 'send') throw new Error('there is room')
    nowMs += 60_000
    dispatcher.done(requestId(id), { kind: 'answered', cachedTokens, tokens: 10 }, nowMs)
    return dispatch.endpoint
  }
  const noTargets = { ttftMs: null, tpotMs: null }
  dispatcher.endpoints(at('failed'), nowMs)
  askOnce(0)
  dispatcher.endpoints(at('ready'), nowMs)
  const places = Array.from({ length: 20 }, () => askOnce(0))
  expect(places.slice(0, 8)).toEqual(Array(8).fill(endpointId('holder')))
  expect(places.slice(8)).toContain(endpointId('other'))
})
