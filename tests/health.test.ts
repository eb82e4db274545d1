/** gateway-checklist.md, health: lines 27 to 33. */
import { expect, test } from 'vitest'
import { chat, endpointsOf, engine, fleet, readEvents } from './harness/fleet.ts'

test('line 27: an engine that loads is shown as loading and answers when it is done', async () => {
  const slow = await engine({ engine: 'llama-server', loadMs: 400 })
  const { url, until } = await fleet({ endpoints: endpointsOf({ slow }) }, { settled: false })
  const [row] = await until(([first]) => first?.reason !== 'not asked yet')
  expect(row).toMatchObject({ state: 'loading', errorsTotal: 0 })
  const health = await fetch(`${url}/health`)
  expect(health.status).toBe(503)
  expect(await health.json()).toMatchObject({ healthy_count: 0, unhealthy_count: 1 })
  await until(([first]) => first?.state === 'ready')
  expect((await chat(url)).status).toBe(200)
})

test('line 27: a request for a model that is loading waits for it', async () => {
  const slow = await engine({ engine: 'llama-server', loadMs: 500 })
  const { url, until } = await fleet(
    { endpoints: endpointsOf({ slow }, { models: ['llama-3.1-8b'] }) },
    { settled: false },
  )
  await until(([first]) => first?.state === 'loading')
  const response = await chat(url)
  expect(response.status).toBe(200)
  expect(Number(response.headers.get('x-motley-queue-ms'))).toBeGreaterThan(0)
})

test('line 28: an engine too busy for its health page stays while its streams flow', async () => {
  const busy = await engine({
    faults: ['slow-health:10s@after=1s'],
    speed: 1,
    decodeTokensPerSecond: 50,
  })
  const { url, until } = await fleet({ endpoints: endpointsOf({ busy }) })
  const response = await chat(url, { stream: true, max_tokens: 150 })
  const [row] = await until(([first]) => first?.state !== 'ready')
  expect(row).toMatchObject({ state: 'busy', reason: 'slow to answer its health check' })
  const { events, broken } = await readEvents(response)
  expect(broken).toBe(false)
  expect(events.at(-1)).toBe('[DONE]')
})

test('line 29: a dead endpoint is out at the first failed connection', async () => {
  const dies = await engine()
  const stays = await engine()
  const { url, rows } = await fleet({
    endpoints: [
      { ...endpointsOf({ dies })[0], weight: 100, health: { intervalMs: 60_000 } },
      { ...endpointsOf({ stays })[0], health: { intervalMs: 60_000 } },
    ],
  })
  await dies.close()
  const response = await chat(url)
  expect(response.headers.get('x-motley-endpoint')).toBe('stays')
  expect((await rows()).find(({ name }) => name === 'dies')?.state).toBe('failed')
  for (let count = 0; count < 5; count++) {
    expect((await chat(url)).headers.get('x-motley-attempts')).toBe('1')
  }
})

test('line 29: a dead endpoint is out within five seconds of silence at the default interval', async () => {
  const dies = await engine()
  const { until } = await fleet({ endpoints: [{ name: 'dies', url: dies.url }] })
  const diedMs = performance.now()
  await dies.close()
  await until(([row]) => row?.state === 'failed')
  expect(performance.now() - diedMs).toBeLessThan(5_000)
})

test('line 30: an endpoint that fails at once does not draw the traffic', async () => {
  const hole = await engine({ faults: ['lying-health'] })
  const good = await engine()
  const { url, rows } = await fleet({ endpoints: endpointsOf({ hole, good }) })
  for (let count = 0; count < 60; count++) expect((await chat(url)).status).toBe(200)
  const [row] = (await rows()).filter(({ name }) => name === 'hole')
  expect(row?.state).toBe('failed')
  expect(hole.stats().started).toBeLessThan(12)
})

test('line 31: health tells live from ready, and asking costs the engine no tokens', async () => {
  const one = await engine()
  const { url, until } = await fleet({ endpoints: endpointsOf({ one }) })
  expect((await fetch(`${url}/health/ready`)).status).toBe(200)
  await one.close()
  await until(([row]) => row?.state === 'failed')
  expect((await fetch(`${url}/health/live`)).status).toBe(200)
  expect((await fetch(`${url}/health/ready`)).status).toBe(503)
  expect((await fetch(`${url}/health`)).status).toBe(503)
  expect(one.stats().started).toBe(0)
})

test('line 32: a failing endpoint gets one probe at a time, and comes back with slow start', async () => {
  const sick = await engine({ faults: ['lying-health@first=5'] })
  const good = await engine()
  const { url, until, rows } = await fleet({
    endpoints: endpointsOf({ sick, good }),
    routing: { slowStartMs: 60_000 },
  })
  const state = async () => (await rows()).find(({ name }) => name === 'sick')
  for (let count = 0; (await state())?.state !== 'failed' && count < 200; count++) await chat(url)
  expect((await state())?.state).toBe('failed')
  await until((now) => now.find(({ name }) => name === 'sick')?.state === 'failing')
  for (let count = 0; (await state())?.state !== 'ready' && count < 500; count++) await chat(url)
  const back = await state()
  expect(back?.state).toBe('ready')
  expect(back?.effectiveWeight).toBeLessThan(0.5)
})

test('line 33: a drained gateway finishes what runs, takes nothing new, and cuts at the limit', async () => {
  const one = await engine({ speed: 1, decodeTokensPerSecond: 100 })
  const { url, gateway } = await fleet({
    endpoints: endpointsOf({ one }),
    gateway: { drainMs: 2_000 },
  })
  const short = await chat(url, { stream: true, max_tokens: 30 })
  const long = await chat(url, { stream: true, max_tokens: 5_000 })
  const drained = gateway.drain()
  await expect(chat(url)).rejects.toThrow()
  const shortEvents = await readEvents(short)
  expect(shortEvents.events.at(-1)).toBe('[DONE]')
  const longEvents = await readEvents(long)
  expect(JSON.parse(longEvents.events.at(-1) as string).error.message).toContain('shutting down')
  await drained
  expect(gateway.vitals.inFlight).toBe(0)
})

test('line 33: an endpoint removed by a reload finishes what it has and gets nothing new', async () => {
  const old = await engine({ speed: 1, decodeTokensPerSecond: 100 })
  const next = await engine()
  const { url, reload, rows } = await fleet({ endpoints: endpointsOf({ old }) })
  const running = await chat(url, { stream: true, max_tokens: 60 })
  expect(reload({ endpoints: endpointsOf({ next }, { models: ['llama-3.1-8b'] }) })).toMatchObject({
    applied: true,
    notes: ['endpoint next added', 'endpoint old removed, its requests finish'],
  })
  expect((await rows()).find(({ name }) => name === 'old')?.state).toBe('draining')
  expect((await chat(url)).headers.get('x-motley-endpoint')).toBe('next')
  expect((await readEvents(running)).events.at(-1)).toBe('[DONE]')
  await fetch(`${url}/health`)
  expect((await rows()).map(({ name }) => name)).toEqual(['next'])
})

test('line 48: a reload that cannot be applied changes nothing', async () => {
  const one = await engine()
  const { url, reload } = await fleet({ endpoints: endpointsOf({ one }) })
  const outcome = reload({ endpoints: [], gateway: { listen: '127.0.0.1:9' } })
  expect(outcome).toMatchObject({ applied: false })
  expect((await chat(url)).status).toBe(200)
})
