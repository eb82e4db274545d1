import { afterEach, expect, test } from 'vitest'
import { endpointConfig } from '#core/config/endpoints.ts'
import type { EndpointLoad } from '#core/endpoint.ts'
import { endpointId } from '#core/ids.ts'
import type { MeasuredSpeed } from '#core/measured-speed.ts'
import { Endpoint } from '#gateway/endpoint.ts'
import { EndpointOffer } from '#gateway/endpoint-offer.ts'
import type { EndpointReport } from '#protocol/endpoint-report.ts'
import { newDispatcher } from '#routing/index.ts'
import { dispatchRequest } from '#testing/dispatch-request.ts'

const made: Endpoint[] = []
afterEach(async () => {
  await Promise.all(made.splice(0).map((endpoint) => endpoint.close()))
})

function endpoint(name: string, measured?: MeasuredSpeed): Endpoint {
  const config = endpointConfig.parse({ url: 'http://127.0.0.1:9', name, models: ['m'] })
  const one = new Endpoint({ ...config, ...(measured && { measured }) }, { ms: 0 }, 0)
  made.push(one)
  return one
}

const nothing: EndpointLoad = {
  runningRequests: null,
  waitingRequests: null,
  kvCacheUsageRatio: null,
  slots: null,
  kvTokens: null,
}

const report = (name: string, load: EndpointLoad): EndpointReport => ({
  endpoint: endpointId(name),
  atMs: 0,
  check: { status: 'L7OK', verdict: 'ready', code: 200, durationMs: 0, detail: null },
  engine: 'vllm',
  engineVersion: null,
  models: null,
  tasks: null,
  load,
  supportsStreamUsage: true,
  continuation: { kind: 'completion' },
})

test('what an engine says of its room reaches routing, and makes the offer another one', () => {
  const one = endpoint('one')
  const before = new EndpointOffer(one)
  expect(before.limits).toEqual({ seats: null, kvTokens: null, batchTokens: null })
  one.apply(report('one', { ...nothing, slots: 4, kvTokens: 32_768 }))
  expect(before.changed()).toBe(true)
  const offer = new EndpointOffer(one)
  expect(offer.limits).toEqual({ seats: 4, kvTokens: 32_768, batchTokens: null })
  one.apply(report('one', { ...nothing, slots: 4, kvTokens: 32_768, runningRequests: 2 }))
  expect(offer.changed()).toBe(false)
})

test('what a benchmark measured is what routing predicts by before the first answer', () => {
  const measured = {
    promptTokensPerSecond: 2_000,
    decodeTokensPerSecond: 50,
    byConcurrency: [
      { requests: 1, tokensPerSecond: 50 },
      { requests: 8, tokensPerSecond: 200 },
    ],
  }
  const quick = { ...measured, promptTokensPerSecond: 8_000, decodeTokensPerSecond: 100 }
  const dispatcher = newDispatcher('fastest', { chance: () => 0, explain: true })
  dispatcher.endpoints(
    [endpoint('slow', measured), endpoint('quick', quick)].map((one) => {
      one.apply(report(one.id, nothing))
      return new EndpointOffer(one)
    }),
    0,
  )
  dispatcher.arrive(dispatchRequest('r', { promptTokens: 1_000 }), 0)
  const dispatch = dispatcher.next(0)
  if (dispatch?.kind !== 'send') throw new Error('there is room')
  expect(dispatch.endpoint).toBe('quick')
  const slow = dispatch.record?.candidates.find((candidate) => candidate.endpoint === 'slow')
  // A thousand tokens at 2,000 a second, and a fiftieth of a second for each of the answer.
  expect(slow?.ttftMs).toBeGreaterThan(450)
  expect(slow?.ttftMs).toBeLessThan(600)
  expect(slow?.tpotMs).toBeCloseTo(20, 0)
})
