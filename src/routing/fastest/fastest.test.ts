import { expect, test } from 'vitest'
import type { EndpointState } from '#core/endpoint.ts'
import { endpointId, modelName, requestId } from '#core/ids.ts'
import type { DecisionRecord } from '#routing/decision.ts'
import type { Dispatcher } from '#routing/dispatcher.ts'
import type { StepSpeed } from '#routing/step-speed.ts'
import { dispatchRequest as request } from '#testing/dispatch-request.ts'
import { endpointView } from '#testing/endpoint-view.ts'
import { answered, endpoint, fastest, obeyed, plainUrl, speed } from '#testing/fastest-endpoints.ts'

test('a lone request goes to the endpoint that is done first', () => {
  const dispatcher = fastest([endpoint('slow', { speed: speed(3) }), endpoint('quick')])
  dispatcher.arrive(request('a'), 0)
  expect(obeyed(dispatcher, 0)).toEqual(['a > quick'])
})

test('who is alone gets the first token sooner, and where others wait whole answers count', () => {
  const pair = (stepMs: number, promptMs: number): StepSpeed => ({
    ...speed(1),
    linearMs: [
      [1, stepMs],
      [2_048, stepMs + 2 * promptMs],
    ],
  })
  // Two hundred tokens are thought to follow: 0.1 s and 5 s, or 0.5 s and 4 s.
  const endpoints = [
    endpoint('reader', { speed: pair(25, 200) }),
    endpoint('writer', { speed: pair(20, 1_000) }),
  ]
  const alone = fastest(endpoints)
  alone.arrive(request('a'), 0)
  expect(obeyed(alone, 0)).toEqual(['a > reader'])
  const crowded = fastest(endpoints)
  for (const name of ['a', 'b']) crowded.arrive(request(name), 0)
  expect(obeyed(crowded, 0)[0]).toBe('a > writer')
})

test('with one endpoint nobody waits while it has room', () => {
  const dispatcher = fastest([endpoint('only')])
  for (const name of ['a', 'b', 'c']) dispatcher.arrive(request(name, { promptTokens: 100 }), 0)
  expect(obeyed(dispatcher, 0)).toEqual(['a > only', 'b > only', 'c > only'])
})

test('the seat of a request that others sent is free again once reports no longer count it', () => {
  const limits = { seats: 1, kvTokens: 50_000, batchTokens: 2048 }
  const dispatcher = fastest([endpoint('only', { limits })])
  const load = (runningRequests: number) => ({
    ...{ runningRequests, waitingRequests: 0, kvCacheUsageRatio: null },
    ...{ slots: 1, kvTokens: null },
  })
  for (const nowMs of [0, 1_000, 2_000]) dispatcher.report(endpointId('only'), load(1), nowMs)
  dispatcher.arrive(request('a', { arrivedAtMs: 2_000 }), 2_000)
  expect(obeyed(dispatcher, 2_000)).toEqual([])
  for (const nowMs of [2_100, 2_200]) dispatcher.report(endpointId('only'), load(0), nowMs)
  expect(obeyed(dispatcher, 2_200)).toEqual(['a > only'])
})

test('an engine that starts anew has nothing of what others sent it', () => {
  const limits = { seats: 1, kvTokens: 50_000, batchTokens: 2048 }
  const inState = (state: EndpointState) =>
    endpoint('only', { limits, view: endpointView('only', { state }) })
  const dispatcher = fastest([inState('ready')])
  const load = { runningRequests: 4, waitingRequests: 0, kvCacheUsageRatio: 0.9 }
  const report = { ...load, slots: 1, kvTokens: null }
  for (const nowMs of [0, 1_000]) dispatcher.report(endpointId('only'), report, nowMs)
  dispatcher.arrive(request('a', { arrivedAtMs: 1_000 }), 1_000)
  expect(obeyed(dispatcher, 1_000)).toEqual([])
  for (const state of ['failed', 'ready'] as const) dispatcher.endpoints([inState(state)], 1_100)
  expect(obeyed(dispatcher, 1_100)).toEqual(['a > only'])
})

test('a request waits for an endpoint that will serve it in time, and is bound as one can', () => {
  const dispatcher = fastest([endpoint('only')])
  for (const name of ['a', 'b']) dispatcher.arrive(request(name, { promptTokens: 1_200 }), 0)
  // Two prompts of 1.2 s are more than the 1.8 s that the second may take.
  expect(obeyed(dispatcher, 0)).toEqual(['a > only'])
  expect(dispatcher.waiting).toBe(1)
  dispatcher.firstToken(requestId('a'), 500)
  dispatcher.done(requestId('a'), answered, 500)
  expect(obeyed(dispatcher, 500)).toEqual(['b > only'])
})

test('no more is promised of a KV cache than there is', () => {
  const limits = { seats: 8, kvTokens: 1_500, batchTokens: 2048 }
  const dispatcher = fastest([endpoint('small', { limits, speed: speed(0.1) })])
  for (const name of ['a', 'b', 'c']) dispatcher.arrive(request(name, { maxTokens: 100 }), 0)
  expect(obeyed(dispatcher, 0)).toEqual(['a > small', 'b > small'])
})

test('a prompt that seems too long for all waits for no room that never comes', () => {
  const limits = { seats: 8, kvTokens: 1_500, batchTokens: 2048 }
  const large = endpoint('large', {
    limits: { ...limits, kvTokens: 50_000 },
    speed: speed(0.3),
  })
  const small = endpoint('small', { limits, speed: speed(0.1) })
  const alone = fastest([small])
  alone.arrive(request('a', { promptTokens: 2_000 }), 0)
  alone.arrive(request('b', { promptTokens: 2_000 }), 0)
  expect(obeyed(alone, 0)).toEqual(['a > small'])
  alone.done(requestId('a'), answered, 100)
  expect(obeyed(alone, 100)).toEqual(['b > small'])

  const both = fastest([small, large])
  both.arrive(request('a', { promptTokens: 2_000 }), 0)
  expect(obeyed(both, 0)).toEqual(['a > large'])
})

test('the held part of a prompt makes an endpoint faster', () => {
  const dispatcher = fastest([endpoint('a'), endpoint('b')])
  const prefixBlocks = Array.from({ length: 60 }, (_, block) => block)
  dispatcher.arrive(request('first', { promptTokens: 1_000, prefixBlocks }), 0)
  const [first] = obeyed(dispatcher, 0)
  dispatcher.firstToken(requestId('first'), 1_000)
  dispatcher.done(requestId('first'), answered, 1_100)
  for (const turn of [1, 2, 3]) {
    const id = `turn${turn}`
    dispatcher.arrive(
      request(id, { promptTokens: 1_000, prefixBlocks, arrivedAtMs: 2_000 * turn }),
      2_000 * turn,
    )
    expect(obeyed(dispatcher, 2_000 * turn)).toEqual([`${id} > ${first?.split(' > ')[1]}`])
    dispatcher.done(requestId(id), answered, 2_000 * turn + 100)
  }
})

test('an endpoint that has left gets nothing, though an answer of it still comes', () => {
  const limits = { seats: 1, kvTokens: 50_000, batchTokens: 2048 }
  const [gone, busy] = [
    endpoint('gone', { limits: { ...limits, seats: 8 } }),
    endpoint('b', { limits }),
  ]
  const dispatcher = fastest([gone])
  dispatcher.arrive(request('a'), 0)
  expect(obeyed(dispatcher, 0)).toEqual(['a > gone'])
  dispatcher.endpoints([busy], 100)
  for (const id of ['b', 'c']) dispatcher.arrive(request(id, { arrivedAtMs: 100 }), 100)
  expect(obeyed(dispatcher, 100)).toEqual(['b > b'])
  dispatcher.firstToken(requestId('a'), 500)
  dispatcher.tokens(requestId('a'), 1, 520)
  expect(obeyed(dispatcher, 520)).toEqual([])
})

test('who waits is sent to an endpoint as soon as its rest after a 429 is over', () => {
  const limits = { seats: 1, kvTokens: 50_000, batchTokens: 2048 }
  const coolingUntilMs = new Map([[modelName('m'), 300]])
  const resting = endpoint('resting', { limits, view: endpointView('resting', { coolingUntilMs }) })
  const dispatcher = fastest([resting, endpoint('busy', { limits })])
  for (const id of ['a', 'b']) dispatcher.arrive(request(id), 0)
  expect(obeyed(dispatcher, 0)).toEqual(['a > busy'])
  expect(obeyed(dispatcher, 299)).toEqual([])
  expect(dispatcher.wakeAtMs(299)).toBeLessThanOrEqual(349)
  expect(obeyed(dispatcher, 300)).toEqual(['b > resting'])
})

test('an endpoint that turns slow is found out, and the others get its requests', () => {
  const dispatcher = fastest([endpoint('a', { speed: speed(0.9) }), endpoint('b')])
  let nowMs = 0
  const chosen: string[] = []
  for (let round = 0; round < 60; round++) {
    nowMs += 60_000
    const id = requestId(`r${round}`)
    dispatcher.arrive(request(id, { arrivedAtMs: nowMs }), nowMs)
    const dispatch = dispatcher.next(nowMs)
    if (dispatch?.kind !== 'send') throw new Error('it should be sent')
    chosen.push(dispatch.endpoint)
    // a needs four times as long as it is said to.
    const slowness = dispatch.endpoint === 'a' ? 4 : 1
    nowMs += 500 * slowness
    dispatcher.firstToken(id, nowMs)
    for (let token = 0; token < 20; token++) {
      nowMs += 20 * slowness
      dispatcher.tokens(id, 1, nowMs)
    }
    dispatcher.done(id, answered, nowMs)
  }
  expect(chosen[0]).toBe('a')
  expect(chosen.slice(-20)).toEqual(Array(20).fill('b'))
})

test.each([
  { as: 'live', count: 40, targets: { ttftMs: 60_000, tpotMs: 100 }, doneMs: 1_000 },
  { as: 'late', count: 40, targets: { ttftMs: 2_000, tpotMs: 100 }, doneMs: 5_000 },
])("$as ones that may only go where there is no room stand in nobody else's way", (which) => {
  const { count, targets, doneMs } = which
  const alone = { limits: { seats: 1, kvTokens: 50_000, batchTokens: 2048 } }
  const dispatcher = fastest([endpoint('a', alone), endpoint('b', alone)])
  for (const id of ['x', 'y']) dispatcher.arrive(request(id), 0)
  const [first] = obeyed(dispatcher, 0)
  const [id, , from] = (first ?? '').split(' ') as [string, string, string]
  // What broke off at one endpoint may only go on at the other, which is busy.
  const rest = { targets, excluded: [endpointId(from)] }
  for (let at = 0; at < count; at++) dispatcher.arrive(request(`rest-${at}`, rest), 0)
  dispatcher.arrive(request('free', { targets, arrivedAtMs: 1 }), 1)
  expect(obeyed(dispatcher, 1)).toEqual([])
  expect(obeyed(dispatcher, doneMs - 1)).toEqual([])
  dispatcher.done(requestId(id), answered, doneMs)
  expect(obeyed(dispatcher, doneMs)).toEqual([`free > ${from}`])
})

test('one client with a hundred requests does not make another wait behind all of them', () => {
  const limits = { seats: 1, kvTokens: 50_000, batchTokens: 2048 }
  const dispatcher = fastest([endpoint('only', { limits, speed: speed(0.01) })])
  const patient = { ttftMs: 600_000, tpotMs: null }
  for (let index = 0; index < 100; index++) {
    dispatcher.arrive(request(`many${index}`, { client: 'many', targets: patient }), 0)
  }
  const order: string[] = []
  let nowMs = 0
  for (let served = 0; served < 30; served++) {
    if (served === 10) {
      const late = { client: 'few', targets: patient, arrivedAtMs: nowMs }
      dispatcher.arrive(request('few', late), nowMs)
    }
    const dispatch = dispatcher.next(nowMs)
    if (dispatch?.kind !== 'send') throw new Error('it should be sent')
    order.push(dispatch.request.client)
    nowMs += 100
    dispatcher.firstToken(dispatch.request.id, nowMs)
    dispatcher.done(dispatch.request.id, answered, nowMs)
  }
  expect(order).toContain('few')
})

test('an interactive request goes before batch ones that came earlier', () => {
  const limits = { seats: 1, kvTokens: 50_000, batchTokens: 2048 }
  const dispatcher = fastest([endpoint('only', { limits })])
  const batch = { service: 'batch', targets: { ttftMs: null, tpotMs: null } } as const
  for (const name of ['x', 'y']) dispatcher.arrive(request(name, batch), 0)
  expect(obeyed(dispatcher, 0)).toEqual(['x > only'])
  dispatcher.arrive(request('now', { arrivedAtMs: 400 }), 400)
  dispatcher.firstToken(requestId('x'), 500)
  dispatcher.done(requestId('x'), answered, 600)
  expect(obeyed(dispatcher, 600)).toEqual(['now > only'])
})

test('what nobody can take is refused, with the reason', () => {
  const dispatcher = fastest([
    endpoint('down', { view: endpointView('down', { state: 'failed' }) }),
  ])
  dispatcher.arrive(request('a'), 0)
  dispatcher.arrive(request('b', { excluded: [endpointId('down')] }), 0)
  expect(obeyed(dispatcher, 0)).toEqual(['a ! none-ready', 'b ! none-ready'])
})

test('who waited too long is told when to come again', () => {
  const limits = { seats: 1, kvTokens: 50_000, batchTokens: 2048 }
  const dispatcher = fastest([endpoint('only', { limits })])
  for (const name of ['a', 'b']) dispatcher.arrive(request(name), 0)
  expect(obeyed(dispatcher, 0)).toEqual(['a > only'])
  dispatcher.firstToken(requestId('a'), 500)
  expect(obeyed(dispatcher, 59_000)).toEqual([])
  expect(obeyed(dispatcher, 61_000)).toEqual(['b ! overload'])
})

function refusalOf(dispatcher: Dispatcher, nowMs: number): DecisionRecord | null {
  const dispatch = dispatcher.next(nowMs)
  if (dispatch?.kind !== 'reject') throw new Error('it should be refused')
  return dispatch.record
}

test('the record of a refusal says what was predicted, against how much time', () => {
  const long = { promptTokens: 8_000, targets: { ttftMs: 20_000, tpotMs: 100 } }
  const dispatcher = fastest([endpoint('only')], true)
  dispatcher.arrive(request('first', long), 0)
  expect(obeyed(dispatcher, 0)).toEqual(['first > only'])
  dispatcher.arrive(request('late'), 0)
  dispatcher.firstToken(requestId('first'), 8_000)
  dispatcher.arrive(request('second', { ...long, arrivedAtMs: 59_000 }), 59_000)
  dispatcher.done(requestId('first'), answered, 59_000)
  expect(obeyed(dispatcher, 59_000)).toEqual(['second > only'])
  const [only] = refusalOf(dispatcher, 60_000)?.candidates ?? []
  const { ttftMs = null } = only ?? {}
  expect(only).toMatchObject({ endpoint: 'only', verdict: 'refused' })
  expect(only?.refusal).toEqual({ kind: 'ttft', predictedMs: ttftMs, leftMs: 600 })
  // The rest of the other prompt, and its own.
  expect(ttftMs).toBeGreaterThan(7_000)
})

test('the record of a refusal tells of sixteen of a crowd, and counts the others', () => {
  const crowd = Array.from({ length: 40 }, (_, at) =>
    endpoint(`e${at}`, { limits: { seats: 1, kvTokens: 50_000, batchTokens: 2048 } }),
  )
  const dispatcher = fastest(crowd, true)
  for (let at = 0; at <= crowd.length; at++) dispatcher.arrive(request(`r${at}`), 0)
  expect(obeyed(dispatcher, 0)).toHaveLength(crowd.length)
  const record = refusalOf(dispatcher, 61_000)
  expect([record?.candidates.length, record?.leftOut]).toEqual([16, 24])
  expect(record?.candidates.every(({ ttftMs }) => ttftMs !== null)).toBe(true)
})

test.each([17, 32])('the record tells of the nearest sixteen of %i endpoints', (count) => {
  const others = Array.from({ length: count - 1 }, (_, at) => endpoint(`e${at}`))
  const dispatcher = fastest([...others, endpoint('quick', { speed: speed(0.5) })], true)
  dispatcher.arrive(request('a'), 0)
  const dispatch = dispatcher.next(0)
  if (dispatch?.kind !== 'send') throw new Error('it should be sent')
  const { candidates = [], leftOut } = dispatch.record ?? {}
  expect(candidates[0]).toMatchObject({ endpoint: 'quick', verdict: 'chosen' })
  expect(candidates.filter(({ verdict }) => verdict === 'runner-up')).toHaveLength(1)
  expect([candidates.length, leftOut]).toEqual([16, count - 16])
})

test('the record says of every endpoint what was predicted and what spoke against it', () => {
  const dispatcher = fastest([endpoint('quick'), endpoint('epyc', { speed: speed(9) })], true)
  dispatcher.arrive(request('a'), 0)
  const dispatch = dispatcher.next(0)
  if (dispatch?.kind !== 'send') throw new Error('it should be sent')
  const told = dispatch.record?.candidates.map(({ endpoint: id, verdict, refusal }) => [
    id,
    verdict,
    refusal?.kind ?? null,
  ])
  expect(told).toEqual([
    ['quick', 'chosen', null],
    ['epyc', 'refused', 'ttft'],
  ])
})

test('a prompt too long for every target is sent at once while its endpoint is idle', () => {
  const dispatcher = fastest([endpoint('only')])
  dispatcher.arrive(request('book', { promptTokens: 30_000 }), 0)
  expect(obeyed(dispatcher, 0)).toEqual(['book > only'])
})

test('an answer in one piece is no silence: others are sent beside it', () => {
  const dispatcher = fastest([endpoint('only')])
  dispatcher.arrive(request('whole', { streams: false }), 0)
  expect(obeyed(dispatcher, 0)).toEqual(['whole > only'])
  // Its prompt took half a second and its answer goes on; nothing is heard of either.
  dispatcher.arrive(request('next', { arrivedAtMs: 9_000 }), 9_000)
  expect(obeyed(dispatcher, 9_000)).toEqual(['next > only'])
  dispatcher.done(requestId('whole'), { ...answered, tokens: 400 }, 10_000)
  dispatcher.done(requestId('next'), answered, 10_000)
  expect(dispatcher.counts(endpointId('only'))).toEqual({
    inFlight: 0,
    prefillTokens: 0,
    contextTokens: 0,
  })
})

test('work that is not counted in tokens goes where less of it is, and no further than a second', () => {
  const dispatcher = fastest([endpoint('a', plainUrl), endpoint('b', plainUrl)])
  const work = { task: 'embedding', streams: false, workUnits: 100, service: 'standard' } as const
  const idle = { targets: { ttftMs: null, tpotMs: null } }
  // Each shows that it takes 400 ms.
  dispatcher.arrive(request('one', { ...work, ...idle }), 0)
  dispatcher.arrive(request('other', { ...work, ...idle }), 0)
  const [one, other] = obeyed(dispatcher, 0)
  for (const id of ['one', 'other']) dispatcher.done(requestId(id), answered, 400)
  expect(new Set([one?.split(' > ')[1], other?.split(' > ')[1]]).size).toBe(2)
  const names = Array.from({ length: 12 }, (_, index) => `w${index}`)
  for (const name of names) dispatcher.arrive(request(name, { ...work, ...idle }), 1_000)
  const sent = obeyed(dispatcher, 1_000).map((line) => line.split(' > '))
  const at = (name: string) => sent.filter(([, place]) => place === name).length
  expect(at('a')).toBeGreaterThan(0)
  expect(Math.abs(at('a') - at('b'))).toBeLessThanOrEqual(1)
  expect(sent.length).toBeLessThan(12)
  // A chat that comes now is not behind all twelve of them.
  dispatcher.arrive(request('chat', { arrivedAtMs: 1_000 }), 1_000)
  expect(obeyed(dispatcher, 1_000)).toEqual([expect.stringMatching(/^chat > /)])
  for (const [id = ''] of sent) dispatcher.done(requestId(id), answered, 1_400)
  expect(obeyed(dispatcher, 1_400)).toHaveLength(12 - sent.length)
})

test.each([{ list: ['a', 'b', 'c'] }, { list: ['a', 'b', 'slow', 'c'] }])(
  'of equal ones each gets its part, wherever it stands in $list',
  ({ list }) => {
    const counts = new Map<string, number>()
    const speedOf = (name: string) => speed(name === 'slow' ? 2 : 1)
    const dispatcher = fastest(list.map((name) => endpoint(name, { speed: speedOf(name) })))
    for (let round = 0; round < 300; round++) {
      const nowMs = round * 10_000
      dispatcher.arrive(request(`r${round}`, { arrivedAtMs: nowMs }), nowMs)
      const [line = ''] = obeyed(dispatcher, nowMs)
      const place = line.split(' > ')[1] ?? ''
      counts.set(place, (counts.get(place) ?? 0) + 1)
      dispatcher.done(requestId(`r${round}`), { ...answered, kind: 'cancelled' }, nowMs)
    }
    for (const name of ['a', 'b', 'c']) expect(counts.get(name)).toBeGreaterThan(80)
  },
)
