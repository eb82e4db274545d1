/** In a large fleet only some endpoints are looked at for each request: those worth it. */
import { expect, test } from 'vitest'
import type { EndpointView } from '#core/endpoint.ts'
import { type EndpointId, requestId } from '#core/ids.ts'
import type { Constraint } from '#routing/constraint.ts'
import type { DispatchEndpoint, Dispatcher } from '#routing/dispatcher.ts'
import { Fastest } from '#routing/fastest/fastest.ts'
import { seededChance } from '#std/seeded-chance.ts'
import { dispatchRequest } from '#testing/dispatch-request.ts'
import { endpointView } from '#testing/endpoint-view.ts'

/** `second`: how long it reads 1,000 tokens; an answer's token takes a fiftieth of that. */
function endpoint(
  name: string,
  second: number,
  view: Partial<EndpointView> = {},
): DispatchEndpoint {
  return {
    view: endpointView(name, view),
    serves: () => true,
    limits: { seats: 2, kvTokens: 50_000, batchTokens: 2048 },
    speed: {
      fixedMs: 0,
      linearMs: [
        [1, 20 * second],
        [2048, 2_048 * second],
      ],
      decodeMsPerContextToken: 0,
      prefillMsPerTokenPair: 0,
    },
  }
}

const some = (count: number, make: (at: number) => DispatchEndpoint): DispatchEndpoint[] =>
  Array.from({ length: count }, (_, at) => make(at))

function fastest(endpoints: readonly DispatchEndpoint[]): Dispatcher {
  const dispatcher: Dispatcher = new Fastest({ chance: seededChance(1), explain: false })
  dispatcher.endpoints(endpoints, 0)
  return dispatcher
}

function placeOf(dispatcher: Dispatcher, name: string, constraint: Constraint | null = null) {
  dispatcher.arrive(dispatchRequest(name, { constraint }), 0)
  const dispatch = dispatcher.next(0)
  return dispatch?.kind === 'send' ? dispatch.endpoint : null
}

test('endpoints that are down, however quick, hide nobody', () => {
  const dispatcher = fastest([
    ...some(40, (at) => endpoint(`down${at}`, 0.1, { state: 'failed' })),
    ...some(40, (at) => endpoint(`off${at}`, 0.1, { weight: 0 })),
    endpoint('slow', 1),
  ])
  expect(placeOf(dispatcher, 'a')).toBe('slow')
})

test('when the quick ones can take no more, idle slower ones are found', () => {
  const dispatcher = fastest([
    ...some(40, (at) => endpoint(`quick${at}`, 0.1)),
    ...some(5, (at) => endpoint(`slow${at}`, 1)),
  ])
  const places = some(85, (at) => endpoint(String(at), 1)).map((_, at) =>
    placeOf(dispatcher, `r${at}`),
  )
  expect(places).not.toContain(null)
  expect(places.filter((place) => place?.startsWith('slow'))).toHaveLength(5)
})

test('a request that rules keep from nearly all finds the one that is left, preferred first', () => {
  const dispatcher = fastest([
    ...some(60, (at) => endpoint(`quick${at}`, 0.1)),
    endpoint('allowed', 0.5),
    endpoint('preferred', 1),
  ])
  const constraint: Constraint = {
    group: 'g',
    refuse: (id) => (id.startsWith('quick') ? { kind: 'script' } : null),
    misses: (id: EndpointId) => (id === 'preferred' ? 0 : 1),
  }
  expect(placeOf(dispatcher, 'a', constraint)).toBe('preferred')
})

test('in a fleet that is full for usual requests, a short one finds where it fits', () => {
  const dispatcher = fastest(
    some(60, (at) => ({
      ...endpoint(`e${at}`, 0.3),
      limits: { seats: 8, kvTokens: 1_400, batchTokens: 2048 },
    })),
  )
  for (let at = 0; at < 60; at++) {
    expect(placeOf(dispatcher, `r${at}`)).not.toBeNull()
    dispatcher.firstToken(requestId(`r${at}`), 0)
  }
  const send = (name: string, promptTokens: number) => {
    dispatcher.arrive(dispatchRequest(name, { promptTokens }), 0)
    return dispatcher.next(0)
  }
  expect(send('usual', 1_000)).toBeNull()
  expect(send('short', 50)).toMatchObject({ kind: 'send' })
})

test('in an idle fleet that is too small for usual requests, a short one finds where it fits', () => {
  const small = (name: string, view: Partial<EndpointView> = {}) => ({
    ...endpoint(name, 0.3, view),
    limits: { seats: 8, kvTokens: 900, batchTokens: 2048 },
  })
  const dispatcher = fastest([
    ...some(60, (at) => small(`down${at}`, { state: 'failed' })),
    small('up'),
  ])
  dispatcher.arrive(dispatchRequest('short', { promptTokens: 50 }), 0)
  expect(dispatcher.next(0)).toMatchObject({ kind: 'send', endpoint: 'up' })
})

test('a prefix that many hold hides nobody who has room', () => {
  const dispatcher = fastest(some(60, (at) => endpoint(`e${at}`, 0.3)))
  const shared = { prefixBlocks: [1], prefixBlockTokens: 100 }
  for (let at = 0; at < 110; at++) {
    dispatcher.arrive(dispatchRequest(`r${at}`, shared), 0)
    expect(dispatcher.next(0)).toMatchObject({ kind: 'send' })
    dispatcher.firstToken(requestId(`r${at}`), 0)
  }
})
