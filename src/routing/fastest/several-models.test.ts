/** Several models on one gateway, and several kinds of answers on one endpoint. */
import { expect, test } from 'vitest'
import { modelName, requestId } from '#core/ids.ts'
import type { DispatchEndpoint, Dispatcher } from '#routing/dispatcher.ts'
import { Fastest } from '#routing/fastest/fastest.ts'
import { seededChance } from '#std/seeded-chance.ts'
import { dispatchRequest } from '#testing/dispatch-request.ts'
import { endpointView } from '#testing/endpoint-view.ts'

/** Serves the models whose names begin as its own does. */
function endpoint(name: string, seats: number, kvTokens: number): DispatchEndpoint {
  return {
    view: endpointView(name),
    serves: (model) => model.startsWith(name),
    limits: { seats, kvTokens, batchTokens: 2048 },
    speed: {
      fixedMs: 0,
      linearMs: [
        [1, 10],
        [2048, 1_000],
      ],
      decodeMsPerContextToken: 0,
      prefillMsPerTokenPair: 0,
    },
  }
}

function fastest(...endpoints: readonly DispatchEndpoint[]): Dispatcher {
  const dispatcher: Dispatcher = new Fastest({ chance: seededChance(1), explain: false })
  dispatcher.endpoints(endpoints, 0)
  return dispatcher
}

const ask = (dispatcher: Dispatcher, name: string, model: string, nowMs = 0): void =>
  dispatcher.arrive(dispatchRequest(name, { model: modelName(model), arrivedAtMs: nowMs }), nowMs)

function sent(dispatcher: Dispatcher, nowMs: number): string[] {
  const names: string[] = []
  for (;;) {
    const dispatch = dispatcher.next(nowMs)
    if (dispatch === null) return names
    names.push(`${dispatch.request.id} ${dispatch.kind}`)
  }
}

const crowd = Array.from({ length: 40 }, (_, at) => `crowd${at}`)

test('a crowd that waits for one model is in nobody’s way in another', () => {
  const dispatcher = fastest(endpoint('a', 1, 50_000), endpoint('b', 1, 50_000))
  for (const name of crowd) ask(dispatcher, name, 'a')
  expect(sent(dispatcher, 0)).toEqual(['crowd0 send'])
  ask(dispatcher, 'other', 'b')
  expect(sent(dispatcher, 0)).toEqual(['other send'])
})

test('late ones of a crowded model leave those of another their turn', () => {
  const dispatcher = fastest(endpoint('a', 1, 50_000), endpoint('b', 1, 50_000))
  for (const name of crowd) ask(dispatcher, name, 'a')
  ask(dispatcher, 'first', 'b')
  expect(sent(dispatcher, 0)).toEqual(['crowd0 send', 'first send'])
  ask(dispatcher, 'second', 'b')
  expect(sent(dispatcher, 5_000)).toEqual([])
  dispatcher.done(requestId('first'), { kind: 'answered', cachedTokens: null, tokens: 10 }, 5_000)
  expect(sent(dispatcher, 5_000)).toEqual(['second send'])
})

test('models that share an endpoint share it by urgency, whichever was asked for first', () => {
  const dispatcher = fastest(endpoint('a', 1, 50_000))
  ask(dispatcher, 'running', 'a')
  expect(sent(dispatcher, 0)).toEqual(['running send'])
  ask(dispatcher, 'later', 'a-large', 20)
  ask(dispatcher, 'sooner', 'a-small', 10)
  dispatcher.done(requestId('running'), { kind: 'answered', cachedTokens: null, tokens: 10 }, 30)
  expect(sent(dispatcher, 30)).toEqual(['sooner send'])
})

test('short answers beside a long one are reserved no more than they will take', () => {
  const dispatcher = fastest(endpoint('a', 32, 20_000))
  const one = (name: string, client: string): void => {
    dispatcher.arrive(dispatchRequest(name, { model: modelName('a'), client }), 0)
    expect(sent(dispatcher, 0)).toEqual([`${name} send`])
    dispatcher.firstToken(requestId(name), 0)
  }
  for (const [client, tokens] of [
    ['writes much', 5_000],
    ['writes little', 50],
  ] as const) {
    for (let at = 0; at < 20; at++) {
      one(`${client} ${at}`, client)
      const outcome = { kind: 'answered', cachedTokens: null, tokens } as const
      dispatcher.done(requestId(`${client} ${at}`), outcome, 0)
    }
  }
  for (let at = 0; at < 10; at++) one(`short ${at}`, 'writes little')
  one('long', 'writes much')
})
