import { expect, test } from 'vitest'
import type { EndpointView } from '#core/endpoint.ts'
import { endpointId, modelName } from '#core/ids.ts'
import type { Constraint } from '#routing/constraint.ts'
import type { RouteRequest } from '#routing/filter.ts'
import type { Picker } from '#routing/picker.ts'
import { leastConnections } from '#routing/pickers/least-connections.ts'
import { powerOfTwo } from '#routing/pickers/power-of-two.ts'
import { random } from '#routing/pickers/random.ts'
import { roundRobin, takeTurn } from '#routing/pickers/round-robin.ts'
import { route } from '#routing/route.ts'
import { seededChance } from '#std/seeded-chance.ts'
import { endpointView } from '#testing/endpoint-view.ts'

const pickers = {
  'least-connections': leastConnections,
  'round-robin': roundRobin,
  random,
  'power-of-two': powerOfTwo,
}

const request = { model: modelName('m'), nowMs: 1000, tried: [], turnNow: 0, constraint: null }

function decide(
  asked: RouteRequest,
  endpoints: EndpointView[],
  strategy: keyof typeof pickers,
  chance = seededChance(1),
) {
  const picker: Picker = pickers[strategy]
  return route(asked, endpoints, picker, (among) => picker.pick(among, asked, chance), true)
}

function choose(
  endpoints: EndpointView[],
  strategy: keyof typeof pickers,
  chance = seededChance(1),
) {
  const decision = decide(request, endpoints, strategy, chance)
  return decision.kind === 'forward' ? decision.endpoint.id : decision.kind
}

test.each([
  { a: 0, b: 0, weights: [1, 3], chosen: 'b', sum: '(0+1)/1 against (0+1)/3' },
  { a: 2, b: 9, weights: [1, 3], chosen: 'a', sum: '(2+1)/1 against (9+1)/3' },
  { a: 3, b: 9, weights: [1, 3], chosen: 'b', sum: '(3+1)/1 against (9+1)/3' },
])('least-connections compares $sum and takes $chosen', ({ a, b, weights, chosen }) => {
  const endpoints = [
    endpointView('a', { inFlight: a, weight: weights[0] as number }),
    endpointView('b', { inFlight: b, weight: weights[1] as number }),
  ]
  expect(choose(endpoints, 'least-connections')).toBe(chosen)
  expect(choose(endpoints.toReversed(), 'least-connections')).toBe(chosen)
})

test('least-connections sends a lone request to the faster of equals, wherever it stands', () => {
  const endpoints = [endpointView('slow', { ttftMs: 900 }), endpointView('fast', { ttftMs: 100 })]
  expect(choose(endpoints, 'least-connections')).toBe('fast')
  expect(choose(endpoints.toReversed(), 'least-connections')).toBe('fast')
})

test.each(['least-connections', 'random', 'power-of-two'] as const)(
  '%s spreads lone requests over equals',
  (strategy) => {
    const endpoints = ['a', 'b', 'c', 'd'].map((name) => endpointView(name))
    const chance = seededChance(1)
    const counts = new Map<string, number>()
    for (let round = 0; round < 4000; round++) {
      const chosen = choose(endpoints, strategy, chance)
      counts.set(chosen, (counts.get(chosen) ?? 0) + 1)
    }
    expect(counts.size).toBe(4)
    for (const count of counts.values()) expect(count).toBeGreaterThan(500)
  },
)

test('round-robin takes turns by weight and gives nobody the turns it missed', () => {
  let turnNow = 0
  const order: string[] = []
  const endpoints = [endpointView('a', { weight: 2 }), endpointView('b')]
  const step = (list: EndpointView[]) => {
    const decision = decide({ ...request, turnNow }, list, 'round-robin')
    if (decision.kind !== 'forward') throw new Error(decision.kind)
    const next = takeTurn(decision.endpoint, turnNow)
    Object.assign(decision.endpoint, { turn: next.turn })
    turnNow = next.turnNow
    order.push(decision.endpoint.id)
  }
  for (let round = 0; round < 9; round++) step(endpoints)
  expect(order.filter((name) => name === 'a')).toHaveLength(6)
  for (let round = 0; round < 100; round++) step([endpoints[0] as EndpointView])
  order.length = 0
  for (let round = 0; round < 9; round++) step(endpoints)
  expect(order.filter((name) => name === 'b').length).toBeLessThanOrEqual(4)
})

test('the record names every candidate with its reason, the chosen one and the runner-up', () => {
  const decision = decide(
    { ...request, tried: [endpointId('tried')] },
    [
      endpointView('tried'),
      endpointView('down', { state: 'failed' }),
      endpointView('full', { inFlight: 4, maxInFlight: 4 }),
      endpointView('rests', { coolingUntilMs: new Map([[modelName('m'), 5000]]) }),
      endpointView('second', { inFlight: 1 }),
      endpointView('first'),
    ],
    'least-connections',
  )
  if (decision.kind !== 'forward') throw new Error(decision.kind)
  expect(
    decision.record?.candidates.map(({ endpoint, verdict, refusal, score }) => [
      endpoint,
      verdict,
      refusal?.kind ?? null,
      score,
    ]),
  ).toEqual([
    ['tried', 'refused', 'tried', null],
    ['down', 'refused', 'state', null],
    ['full', 'refused', 'full', null],
    ['rests', 'refused', 'cooling', null],
    ['second', 'runner-up', null, 2],
    ['first', 'chosen', null, 1],
  ])
})

test('the record of a large fleet tells of those that mattered, and counts the others', () => {
  const endpoints = Array.from({ length: 100 }, (_, at) =>
    endpointView(`e${at}`, at % 10 === 9 ? { inFlight: at } : { state: 'failed' }),
  )
  const full = endpointView('full', { inFlight: 4, maxInFlight: 4 })
  const decision = decide(request, [...endpoints, full], 'least-connections')
  if (decision.kind !== 'forward') throw new Error(decision.kind)
  const { candidates = [], leftOut } = decision.record ?? {}
  const told = (verdict: string) =>
    candidates.filter((one) => one.verdict === verdict).map(({ endpoint }) => endpoint)
  expect([candidates.length, leftOut]).toEqual([16, 85])
  expect([told('chosen'), told('runner-up'), told('eligible').length]).toEqual([['e9'], ['e19'], 8])
  expect(told('refused')).toContain('full')
})

test.each([
  { name: 'a full endpoint', more: { inFlight: 1, maxInFlight: 1 }, kind: 'wait' },
  { name: 'a loading endpoint', more: { state: 'loading' as const }, kind: 'wait' },
  {
    name: 'a probed endpoint',
    more: { state: 'failing' as const, probeInFlight: true },
    kind: 'wait',
  },
  { name: 'a failed endpoint', more: { state: 'failed' as const }, kind: 'refuse' },
  { name: 'an endpoint of weight 0', more: { weight: 0 }, kind: 'refuse' },
])('with only $name the decision is to $kind', ({ more, kind }) => {
  expect(decide(request, [endpointView('a', more)], 'random').kind).toBe(kind)
})

test.each([
  { a: 'rule', b: 'rule', because: 'not-permitted' },
  { a: 'rule', b: 'context', because: 'too-long' },
  { a: 'script', b: 'context', because: 'too-long' },
] as const)(
  'where $a keeps a request from one endpoint and $b from the other, waiting does not help: $because',
  ({ a, b, because }) => {
    const refusals = {
      rule: { kind: 'rule', rule: 1, why: 'is not metal' },
      script: { kind: 'script' },
      context: { kind: 'context', neededTokens: 9_000, contextTokens: 2_048 },
    } as const
    const kinds: Readonly<Record<string, keyof typeof refusals>> = { a, b }
    const constraint: Constraint = {
      group: '',
      refuse: (id) => refusals[kinds[id] ?? 'rule'],
      misses: () => 0,
    }
    const endpoints = [endpointView('a', {}), endpointView('b', {})]
    expect(decide({ ...request, constraint }, endpoints, 'least-connections')).toEqual({
      kind: 'refuse',
      because: { kind: because },
    })
  },
)
