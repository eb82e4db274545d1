import { expect, test } from 'vitest'
import { endpointId, modelName, requestId } from '#core/ids.ts'
import type { DispatchEndpoint, Dispatcher } from '#routing/dispatcher.ts'
import { type DispatcherName, newDispatcher } from '#routing/index.ts'
import { seededChance } from '#std/seeded-chance.ts'
import { dispatchRequest as request } from '#testing/dispatch-request.ts'
import { endpointView } from '#testing/endpoint-view.ts'
import { answered, endpoint, obeyed } from '#testing/fastest-endpoints.ts'

function dispatcherOf(
  endpoints: readonly DispatchEndpoint[],
  name: DispatcherName = 'least-connections',
): Dispatcher {
  const dispatcher = newDispatcher(name, { chance: seededChance(1), explain: false })
  dispatcher.endpoints(endpoints, 0)
  return dispatcher
}

const oneAtATime = (name: string, more: Parameters<typeof endpointView>[1] = {}) =>
  endpoint(name, { view: endpointView(name, { maxInFlight: 1, ...more }) })

test('requests wait for room in the order of arrival, and a token of an answer makes none', () => {
  const dispatcher = dispatcherOf([oneAtATime('only')])
  for (const id of ['a', 'b', 'c']) dispatcher.arrive(request(id), 0)
  expect(obeyed(dispatcher, 0)).toEqual(['a > only'])
  dispatcher.firstToken(requestId('a'), 100)
  dispatcher.arrive(request('d'), 100)
  expect(obeyed(dispatcher, 100)).toEqual([])
  dispatcher.done(requestId('a'), answered, 200)
  expect(obeyed(dispatcher, 200)).toEqual(['b > only'])
  dispatcher.leave(requestId('c'), 250)
  dispatcher.done(requestId('b'), answered, 300)
  expect(obeyed(dispatcher, 300)).toEqual(['d > only'])
  expect(dispatcher.waiting).toBe(0)
})

test('one that failed elsewhere waits by itself, and is in no way of others', () => {
  const dispatcher = dispatcherOf([oneAtATime('x'), oneAtATime('y')])
  for (const id of ['a', 'b']) dispatcher.arrive(request(id), 0)
  const [first] = obeyed(dispatcher, 0)
  const [id = '', , from = ''] = (first ?? '').split(' ')
  dispatcher.arrive(request('again', { excluded: [endpointId(from)] }), 0)
  dispatcher.arrive(request('new'), 0)
  expect(obeyed(dispatcher, 0)).toEqual([])
  dispatcher.done(requestId(id), answered, 100)
  expect(obeyed(dispatcher, 100)).toEqual([`new > ${from}`])
})

test('who waits is sent to an endpoint as soon as its rest after a 429 is over', () => {
  const resting = oneAtATime('resting', { coolingUntilMs: new Map([[modelName('m'), 300]]) })
  const dispatcher = dispatcherOf([resting, oneAtATime('busy')])
  for (const id of ['a', 'b']) dispatcher.arrive(request(id), 0)
  expect(obeyed(dispatcher, 0)).toEqual(['a > busy'])
  expect(dispatcher.wakeAtMs(0)).toBe(300)
  expect(obeyed(dispatcher, 299)).toEqual([])
  expect(obeyed(dispatcher, 300)).toEqual(['b > resting'])
  expect(dispatcher.wakeAtMs(300)).toBe(null)
})

test('a strategy of prefixes sends a prompt where its beginning went', () => {
  const dispatcher = dispatcherOf([endpoint('x'), endpoint('y')], 'prefix')
  const prefixBlocks = [1, 2, 3, 4]
  dispatcher.arrive(request('first', { prefixBlocks }), 0)
  const [first = ''] = obeyed(dispatcher, 0)
  for (const id of ['second', 'third']) {
    dispatcher.arrive(request(id, { prefixBlocks: [...prefixBlocks, 9] }), 0)
    expect(obeyed(dispatcher, 0)).toEqual([first.replace('first', id)])
  }
})
