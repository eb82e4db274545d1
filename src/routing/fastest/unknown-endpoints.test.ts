/** Endpoints whose speed nobody has told: how they are found out, and what that costs. */
import { expect, test } from 'vitest'
import { requestId } from '#core/ids.ts'
import { Fastest } from '#routing/fastest/fastest.ts'
import { dispatchRequest as request } from '#testing/dispatch-request.ts'
import { endpointView } from '#testing/endpoint-view.ts'
import { answered, endpoint, fastest, obeyed, plainUrl, speed } from '#testing/fastest-endpoints.ts'

test('a plain URL that nobody knows anything of gets its requests at once', () => {
  const dispatcher = fastest([endpoint('url', plainUrl)])
  const names = Array.from({ length: 20 }, (_, index) => `r${index}`)
  for (const name of names) dispatcher.arrive(request(name), 0)
  expect(obeyed(dispatcher, 0)).toEqual(names.map((name) => `${name} > url`))
})

test('an idle one of unknown speed is tried now and then, until what it can do is known', () => {
  const dispatcher = fastest([
    endpoint('known', { speed: speed(0.1) }),
    endpoint('quick', plainUrl),
    endpoint('slow', plainUrl),
  ])
  const stepMs: Record<string, number> = { known: 2, quick: 1, slow: 100 }
  const sent: string[] = []
  for (let at = 0; at < 400; at++) {
    const arrivedAtMs = at * 20_000
    dispatcher.arrive(request(`r${at}`, { arrivedAtMs }), arrivedAtMs)
    const [, , to = ''] = obeyed(dispatcher, arrivedAtMs)[0]?.split(' ') ?? []
    sent.push(to)
    const id = requestId(`r${at}`)
    let nowMs = arrivedAtMs + 25 * (stepMs[to] ?? 0)
    dispatcher.firstToken(id, nowMs)
    for (let token = 0; token < 20; token++) {
      nowMs += stepMs[to] ?? 0
      dispatcher.tokens(id, 1, nowMs)
    }
    dispatcher.done(id, answered, nowMs)
    obeyed(dispatcher, nowMs)
  }
  const count = (name: string, from: number) => sent.slice(from).filter((to) => to === name).length
  expect(count('slow', 0)).toBe(3)
  expect(count('known', 0)).toBeGreaterThan(10)
  expect(count('quick', 300)).toBe(100)
})

test('the record of a try says that no prediction decided', () => {
  const tried = (chance: () => number) => {
    const dispatcher = new Fastest({ chance, explain: true })
    dispatcher.endpoints([endpoint('quick', { speed: speed(0.1) }), endpoint('plain', plainUrl)], 0)
    dispatcher.arrive(request('a'))
    const dispatch = dispatcher.next(0)
    if (dispatch?.kind !== 'send') throw new Error('it should be sent')
    return [dispatch.endpoint, dispatch.record?.explores]
  }
  expect(tried(() => 0)).toEqual(['plain', true])
  expect(tried(() => 0.99)).toEqual(['quick', false])
})

test('answers in one piece teach how fast an endpoint is', () => {
  const dispatcher = fastest([endpoint('a', plainUrl), endpoint('b', plainUrl)])
  let nowMs = 0
  const chosen: string[] = []
  for (let round = 0; round < 150; round++) {
    nowMs += 60_000
    const id = requestId(`r${round}`)
    dispatcher.arrive(request(id, { streams: false, arrivedAtMs: nowMs }), nowMs)
    const dispatch = dispatcher.next(nowMs)
    if (dispatch?.kind !== 'send') throw new Error('it should be sent')
    chosen.push(dispatch.endpoint)
    nowMs += dispatch.endpoint === 'a' ? 40_000 : 4_000
    dispatcher.done(id, { ...answered, tokens: 100 }, nowMs)
  }
  expect(chosen.slice(-20)).toEqual(Array(20).fill('b'))
})

test('one that nobody knows is asked for one thing at a time, unless there is no other', () => {
  const dispatcher = fastest([endpoint('a', plainUrl), endpoint('b', plainUrl)])
  for (const name of ['x', 'y', 'z']) dispatcher.arrive(request(name), 0)
  const sent = obeyed(dispatcher, 0)
  expect(sent.map((line) => line.split(' > ')[1]).toSorted()).toEqual(['a', 'b'])
  // Whoever answers first is the one to ask again.
  const [first = ''] = sent
  dispatcher.firstToken(requestId(first.split(' > ')[0] ?? ''), 200)
  expect(obeyed(dispatcher, 200)).toEqual([`z > ${first.split(' > ')[1]}`])

  const alone = fastest([endpoint('only', plainUrl)])
  for (const name of ['x', 'y', 'z']) alone.arrive(request(name), 0)
  expect(obeyed(alone, 0)).toHaveLength(3)
})

test('of two that nobody knows, the one with more weight is thought to be faster', () => {
  const weighted = (name: string, weight: number) =>
    endpoint(name, { ...plainUrl, view: endpointView(name, { weight }) })
  const dispatcher = fastest([weighted('weak', 100), weighted('strong', 300)])
  dispatcher.arrive(request('a'), 0)
  expect(obeyed(dispatcher, 0)).toEqual(['a > strong'])
})

test.each([{ weights: [0.1, 0.1, 0.1] }, { weights: [0, 0, 0] }])(
  'equal weights, as $weights, say nothing of a speed',
  ({ weights }) => {
    const dispatcher = new Fastest({ chance: () => 0, explain: true })
    const views = weights.map((weight, at) => endpointView(`e${at}`, { weight }))
    dispatcher.endpoints(
      views.map((view) => endpoint(view.id, { ...plainUrl, view })),
      0,
    )
    // Whatever they were when they came, they take requests from now on.
    dispatcher.endpoints(
      views.map((view) =>
        endpoint(view.id, { ...plainUrl, view: { ...view, weight: view.weight || 1 } }),
      ),
      0,
    )
    dispatcher.arrive(request('a'))
    const dispatch = dispatcher.next(0)
    expect(dispatch?.record?.explores).toBe(true)
  },
)

test('one whose weight says that it is weak is not tried beside a stronger one', () => {
  const dispatcher = new Fastest({ chance: () => 0, explain: false })
  const weighted = (name: string, weight: number) =>
    endpoint(name, { ...plainUrl, view: { ...endpointView(name), weight } })
  dispatcher.endpoints([weighted('weak', 1), weighted('strong', 3)], 0)
  dispatcher.arrive(request('a'))
  expect(obeyed(dispatcher, 0)).toEqual(['a > strong'])
})
