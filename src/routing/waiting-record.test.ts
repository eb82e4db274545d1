import { expect, test } from 'vitest'
import { endpointId } from '#core/ids.ts'
import { waitingFor, waitingRecord } from '#routing/waiting-record.ts'
import { dispatchRequest } from '#testing/dispatch-request.ts'
import { endpointView } from '#testing/endpoint-view.ts'

const full = (name: string) => endpointView(name, { inFlight: 4, maxInFlight: 4 })
const down = (name: string) => endpointView(name, { state: 'failed' })

test.each([
  { endpoints: [down('a'), full('b'), endpointView('c')], reason: 'held' },
  { endpoints: [down('a'), full('b')], reason: 'full' },
  { endpoints: [down('a'), endpointView('tried')], reason: 'down' },
  { endpoints: [], reason: 'down' },
])('with $endpoints.length endpoints, what it waits for is: $reason', ({ endpoints, reason }) => {
  const request = dispatchRequest('r', { excluded: [endpointId('tried')] })
  expect(waitingFor(request, endpoints, 0)).toBe(reason)
})

test('in a fleet of ten thousand that is full, sixteen are told of and the others counted', () => {
  const fleet = Array.from({ length: 10_000 }, (_, at) => (at < 5_000 ? down : full)(`e${at}`))
  const record = waitingRecord(dispatchRequest('r'), fleet, 'fastest', 0)
  expect(record).toMatchObject({ strategy: 'fastest', leftOut: 9_984 })
  expect(record.candidates.map(({ refusal }) => refusal?.kind)).toEqual(Array(16).fill('full'))
})
