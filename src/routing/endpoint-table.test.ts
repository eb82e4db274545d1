import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EndpointView } from '#core/endpoint.ts'
import { modelName, requestId } from '#core/ids.ts'
import { tableMin } from '#routing/endpoint-table.ts'
import { newDispatcher } from '#routing/index.ts'
import { seededChance } from '#std/seeded-chance.ts'
import { dispatchRequest } from '#testing/dispatch-request.ts'
import { endpointView } from '#testing/endpoint-view.ts'

const strategies = [
  'least-connections',
  'least-busy',
  'round-robin',
  'random',
  'power-of-two',
  'two-choices',
] as const

/** Large enough for a table, and as uneven as fleets are. */
function largeFleet(chance: () => number): EndpointView[] {
  return Array.from({ length: tableMin + 20 }, (_, at) =>
    endpointView(`e${at}`, {
      weight: [0, 1, 2, 5][Math.floor(chance() * 4)] as number,
      state: chance() < 0.1 ? 'failed' : 'ready',
      maxInFlight: chance() < 0.3 ? 2 : null,
    }),
  )
}

test('in a large fleet nobody is chosen who takes nothing, and the least loaded is', () => {
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom(...strategies), (seed, strategy) => {
      const chance = seededChance(seed)
      const views = largeFleet(chance)
      const dispatcher = newDispatcher(strategy, { chance, explain: true })
      dispatcher.endpoints(
        views.map((view) => ({
          view,
          serves: () => true,
          limits: { seats: null, kvTokens: null, batchTokens: null },
          speed: null,
        })),
        0,
      )
      const inFlight = new Map(views.map(({ id }) => [id, 0]))
      const open = () =>
        views.filter(
          ({ id, state, weight, maxInFlight }) =>
            state === 'ready' &&
            weight > 0 &&
            (inFlight.get(id) as number) < (maxInFlight ?? Number.POSITIVE_INFINITY),
        )
      const sent: { readonly id: string; readonly endpoint: EndpointView['id'] }[] = []
      for (let at = 0; at < 600; at++) {
        if (sent.length > 0 && chance() < 0.3) {
          const [over] = sent.splice(Math.floor(chance() * sent.length), 1) as [(typeof sent)[0]]
          inFlight.set(over.endpoint, (inFlight.get(over.endpoint) as number) - 1)
          const outcome = { kind: 'answered', cachedTokens: null, tokens: 1 } as const
          dispatcher.done(requestId(over.id), outcome, at)
          continue
        }
        const score = ({ id, weight }: EndpointView): number =>
          strategy === 'least-connections'
            ? ((inFlight.get(id) as number) + 1) / weight
            : (inFlight.get(id) as number)
        const least = Math.min(...open().map(score))
        dispatcher.arrive(dispatchRequest(`r${at}`, { model: modelName('m') }), at)
        const dispatch = dispatcher.next(at)
        if (dispatch?.kind !== 'send') throw new Error('it is sent at once')
        const chosen = open().find(({ id }) => id === dispatch.endpoint)
        expect(chosen).toBeDefined()
        if (strategy === 'least-connections' || strategy === 'least-busy') {
          expect(score(chosen as EndpointView)).toBe(least)
        }
        const { record } = dispatch
        expect(record?.candidates.filter(({ verdict }) => verdict === 'chosen')).toEqual([
          expect.objectContaining({ endpoint: dispatch.endpoint, refusal: null }),
        ])
        expect((record?.candidates.length ?? 0) + (record?.leftOut ?? 0)).toBe(views.length)
        inFlight.set(dispatch.endpoint, (inFlight.get(dispatch.endpoint) as number) + 1)
        sent.push({ id: `r${at}`, endpoint: dispatch.endpoint })
      }
    }),
    { numRuns: 30 },
  )
})
