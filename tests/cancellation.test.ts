/** gateway-checklist.md, cancellation and lifetime: lines 1 to 7. */
import { expect, test } from 'vitest'
import { chat, endpointsOf, engine, fleet, readEvents } from './harness/fleet.ts'
import { rawChat } from './harness/raw-http.ts'
import { untilTrue } from './harness/until-true.ts'

/** The promise is 100 ms; a loaded test machine gets some of its own time on top. */
const abortMsMax = 100 + 150

test('line 1: a client that leaves the queue never reaches an engine', async () => {
  const one = await engine({ faults: ['hang'] })
  const { url, gateway, until } = await fleet({
    endpoints: endpointsOf({ one }, { maxInFlight: 1 }),
  })
  const first = await rawChat(url)
  await until('one request is in flight', ([row]) => row?.inFlight === 1)
  const second = await rawChat(url)
  await untilTrue('the second request waits', () => gateway.vitals.queued === 1)
  second.destroy()
  expect(await untilTrue('nobody waits', () => gateway.vitals.queued === 0)).toBeLessThan(
    abortMsMax,
  )
  first.destroy()
  await untilTrue('nothing is in flight', () => gateway.vitals.inFlight === 0)
  expect(one.stats().started).toBe(1)
})

test.each([
  { name: 'a stream', stream: true },
  { name: 'a whole answer', stream: false },
])(
  'line 2: a client that leaves before the headers of $name ends the attempt',
  async ({ stream }) => {
    const one = await engine({ faults: ['hang'] })
    const { url, gateway, until } = await fleet({ endpoints: endpointsOf({ one }) })
    const socket = await rawChat(url, { stream })
    await until('one request is in flight', ([row]) => row?.inFlight === 1)
    await untilTrue('the engine has the request', () => one.stats().inFlight === 1)
    socket.destroy()
    expect(await untilTrue('the engine is free', () => one.stats().inFlight === 0)).toBeLessThan(
      abortMsMax,
    )
    await untilTrue('nothing is in flight', () => gateway.vitals.inFlight === 0)
    expect(gateway.vitals.inFlightByEndpoint).toEqual({ one: 0 })
  },
)

test('line 3: a client that leaves while the engine is silent in mid-stream ends it', async () => {
  const one = await engine({ faults: ['stall:3:60s'] })
  const { url, gateway } = await fleet({ endpoints: endpointsOf({ one }) })
  const socket = await rawChat(url, { stream: true })
  let received = ''
  socket.on('data', (chunk) => {
    received += chunk
  })
  await untilTrue('three events came', () => received.split('data:').length > 3)
  socket.destroy()
  expect(await untilTrue('the engine is free', () => one.stats().inFlight === 0)).toBeLessThan(
    abortMsMax,
  )
  await untilTrue('nothing is in flight', () => gateway.vitals.inFlight === 0)
})

test('line 4: a client that closes only its sending side still gets its answer', async () => {
  const one = await engine({ faults: ['slow-first-token:300ms'] })
  const { url } = await fleet({ endpoints: endpointsOf({ one }) })
  const socket = await rawChat(url)
  let received = ''
  socket.on('data', (chunk) => {
    received += chunk
  })
  socket.end()
  await new Promise((resolve) => socket.on('close', resolve))
  expect(received).toContain('HTTP/1.1 200 OK')
  expect(received).toContain('chat.completion')
})

test('line 4: where halfClose is cancel, closing the sending side ends the request', async () => {
  const one = await engine({ faults: ['hang'] })
  const { url, gateway, until } = await fleet({
    endpoints: endpointsOf({ one }),
    gateway: { halfClose: 'cancel' },
  })
  const socket = await rawChat(url)
  await until('one request is in flight', ([row]) => row?.inFlight === 1)
  socket.end()
  expect(await untilTrue('nothing is in flight', () => gateway.vitals.inFlight === 0)).toBeLessThan(
    abortMsMax,
  )
})

test.each([
  { how: 'a whole answer', faults: [], status: 200 },
  { how: 'a 4xx', faults: ['status:400'], status: 400 },
  { how: 'a 5xx', faults: ['status:500'], status: 502 },
  { how: 'a reset before headers', faults: ['reset'], status: 502 },
  { how: 'a reset after headers', faults: ['reset-after-headers'], status: null },
  { how: 'a 429', faults: ['429:2s'], status: 429 },
  { how: 'a cut stream', faults: ['cut:5'], status: 200 },
  { how: 'a garbage event', faults: ['garbage:3'], status: 200 },
  { how: 'a bad chunk', faults: ['bad-chunk:3'], status: 200 },
  { how: 'a timeout', faults: ['hang'], status: 504 },
])('line 6: nothing is in flight after $how', async ({ faults, status }) => {
  const one = await engine({ faults })
  const { url, gateway, rows } = await fleet({
    endpoints: endpointsOf({ one }),
    gateway: { timeouts: { firstByteMs: 150, betweenChunksMs: 150 } },
  })
  const response = await chat(url, { stream: true })
  if (status !== null) expect(response.status).toBe(status)
  await readEvents(response)
  await untilTrue('nothing is in flight', () => gateway.vitals.inFlight === 0)
  expect(gateway.vitals.inFlightByEndpoint).toEqual({ one: 0 })
  expect((await rows())[0]?.inFlight).toBe(0)
})

test('line 7: clients that leave are not counted against the engine', async () => {
  const one = await engine({ faults: ['hang'] })
  const { url, gateway, until, rows } = await fleet({ endpoints: endpointsOf({ one }) })
  for (let count = 0; count < 12; count++) {
    const socket = await rawChat(url)
    await until('one request is in flight', ([row]) => row?.inFlight === 1)
    socket.destroy()
    await untilTrue('nothing is in flight', () => gateway.vitals.inFlight === 0)
  }
  expect((await rows())[0]).toMatchObject({ state: 'ready', errorsTotal: 0, clientAbortsTotal: 12 })
})
