/** gateway-checklist.md, health: lines 27 to 33. */
import { once } from 'node:events'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { endpointId } from '#core/ids.ts'
import { afterTest } from './harness/after-test.ts'
import { chat, endpointsOf, engine, fleet, question, readEvents } from './harness/fleet.ts'
import { untilTrue } from './harness/until-true.ts'

test('line 27: an engine that loads is shown as loading and answers when it is done', async () => {
  const slow = await engine({ engine: 'llama-server', loadMs: 400 })
  const { url, until } = await fleet({ endpoints: endpointsOf({ slow }) }, { settled: false })
  const [row] = await until('it was asked', ([first]) => first?.reason !== 'not asked yet')
  expect(row).toMatchObject({ state: 'loading', errorsTotal: 0 })
  const health = await fetch(`${url}/health`)
  expect(health.status).toBe(503)
  expect(await health.json()).toMatchObject({ healthy_count: 0, unhealthy_count: 1 })
  await until('it is ready', ([first]) => first?.state === 'ready')
  expect((await chat(url)).status).toBe(200)
})

test('line 27: a request for a model that is loading waits for it', async () => {
  const slow = await engine({ engine: 'llama-server', loadMs: 500 })
  const { url, until } = await fleet(
    { endpoints: endpointsOf({ slow }, { models: ['llama-3.1-8b'] }) },
    { settled: false },
  )
  await until('it is loading', ([first]) => first?.state === 'loading')
  const response = await chat(url)
  expect(response.status).toBe(200)
  expect(Number(response.headers.get('x-motley-queue-ms'))).toBeGreaterThan(0)
})

test('an endpoint without checks is judged by its requests, though its pages answer nobody', async () => {
  const mute = await engine()
  const endpoints = endpointsOf({ mute }, { models: ['llama-3.1-8b'] }).map((one) => ({
    ...one,
    health: { enabled: false, intervalMs: 100, timeoutMs: 200 },
  }))
  const { url, rows, gateway } = await fleet({ endpoints }, { watched: false })
  const detail = 'it did not answer within 200 ms'
  for (let at = 0; at < 3; at++) {
    gateway.report({
      endpoint: endpointId('mute'),
      atMs: at,
      check: { status: 'L7TOUT', verdict: 'silent', code: null, durationMs: 200, detail },
      ...{ engine: null, engineVersion: null, models: null, tasks: null, load: null },
      supportsStreamUsage: false,
      continuation: { kind: 'completion' },
    })
    expect((await chat(url)).status).toBe(200)
  }
  expect(await rows()).toMatchObject([{ name: 'mute', state: 'ready' }])
})

test('line 28: an engine too busy for its health page stays while its streams flow', async () => {
  const busy = await engine({
    faults: ['slow-health:10s@after=1s'],
    speed: 1,
    decodeTokensPerSecond: 50,
  })
  const health = { intervalMs: 100, timeoutMs: 200 }
  const { url, until } = await fleet({ endpoints: endpointsOf({ busy }, { health }) })
  const response = await chat(url, { stream: true, max_tokens: 150 })
  const [row] = await until('it is not ready', ([first]) => first?.state !== 'ready')
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
  await until('it is failed', ([row]) => row?.state === 'failed')
  expect(performance.now() - diedMs).toBeLessThan(5_000)
})

for (const strategy of ['fastest', 'least-connections']) {
  test(`line 30: an endpoint that fails at once does not draw the traffic of ${strategy}`, async () => {
    const hole = await engine({ faults: ['lying-health'] })
    const good = await engine()
    const { url, rows } = await fleet({
      endpoints: endpointsOf({ hole, good }),
      routing: { strategy },
    })
    for (let count = 0; count < 60; count++) expect((await chat(url)).status).toBe(200)
    expect(hole.stats().started).toBeLessThan(12)
    if (strategy === 'fastest') return
    // Counting sends half of all to the one that is never busy, so its breaker has opened.
    const [row] = (await rows()).filter(({ name }) => name === 'hole')
    expect(row?.state).toBe('failed')
  })
}

test('line 31: health tells live from ready, and asking costs the engine no tokens', async () => {
  const one = await engine()
  const { url, until } = await fleet({ endpoints: endpointsOf({ one }) })
  expect((await fetch(`${url}/health/ready`)).status).toBe(200)
  await one.close()
  await until('it is failed', ([row]) => row?.state === 'failed')
  expect((await fetch(`${url}/health/live`)).status).toBe(200)
  expect((await fetch(`${url}/health/ready`)).status).toBe(503)
  expect((await fetch(`${url}/health`)).status).toBe(503)
  expect(one.stats().started).toBe(0)
})

test('line 31: where there are keys, which models are where is told to operators alone', async () => {
  const one = await engine()
  const { url } = await fleet(
    {
      gateway: {
        keys: [
          { name: 'app', key: 'app-key-123' },
          { name: 'ops', key: 'ops-key-123', admin: true },
        ],
      },
      endpoints: endpointsOf({ one }),
    },
    { adminKey: 'ops-key-123' },
  )
  const counts = { healthy_count: 1, unhealthy_count: 0 }
  for (const headers of [{}, { 'x-api-key': 'app-key-123' }, { 'x-api-key': 'nobodys' }]) {
    const answer = await fetch(`${url}/health`, { headers })
    expect([answer.status, await answer.json()]).toEqual([200, counts])
  }
  const told = await fetch(`${url}/health`, { headers: { authorization: 'Bearer ops-key-123' } })
  expect(await told.json()).toEqual({
    healthy_endpoints: [
      { model: question.model, api_base: one.url, endpoint: 'one', state: 'ready' },
    ],
    unhealthy_endpoints: [],
    ...counts,
  })
})

/** A fleet of two in which `sick`, which is always preferred, has failed until its breaker opened. */
async function oneThatFailed(routing: Record<string, unknown> = {}) {
  const sick = await engine({ faults: ['lying-health'] })
  const good = await engine()
  const made = await fleet({
    endpoints: [
      { ...endpointsOf({ sick })[0], weight: 100 },
      { ...endpointsOf({ good })[0], weight: 1 },
    ],
    routing,
  })
  const row = async () => (await made.rows()).find(({ name }) => name === 'sick')
  for (let count = 0; (await row())?.state !== 'failed' && count < 200; count++) {
    await chat(made.url)
  }
  expect((await row())?.state).toBe('failed')
  await made.until(
    'the failed endpoint may be tried again',
    (now) => now.find(({ name }) => name === 'sick')?.state === 'failing',
  )
  return { sick, good, row, ...made }
}

test('line 32: a failing endpoint gets one request at a time, however many come', async () => {
  const { url, sick, good, gateway } = await oneThatFailed()
  const startedBefore = sick.stats().started
  const finishedBefore = good.stats().finished
  sick.setFaults(['hang'])
  const aborter = new AbortController()
  const asked = Array.from({ length: 10 }, () =>
    chat(url, {}, { signal: aborter.signal }).catch(() => null),
  )
  await untilTrue(
    'the other endpoint answered nine',
    () => good.stats().finished === finishedBefore + 9,
    { seen: () => gateway.vitals },
  )
  expect(sick.stats().started).toBe(startedBefore + 1)
  aborter.abort()
  await Promise.all(asked)
})

test('line 32: an endpoint that works again comes back with a slow start', async () => {
  const { url, sick, row } = await oneThatFailed({ slowStartMs: 60_000 })
  sick.setFaults([])
  for (let count = 0; (await row())?.state !== 'ready' && count < 500; count++) await chat(url)
  const back = await row()
  expect(back?.state).toBe('ready')
  expect(back?.effectiveWeight).toBeLessThan(50)
})

test('line 33: a drained gateway finishes what runs, takes nothing new, and cuts at the limit', async () => {
  const one = await engine({ speed: 1, decodeTokensPerSecond: 100 })
  const { url, gateway } = await fleet({
    endpoints: endpointsOf({ one }),
    gateway: { drainMs: 1_500 },
  })
  const short = await chat(url, { stream: true, max_tokens: 30 })
  const long = await chat(url, { stream: true, max_tokens: 5_000 })
  const startedMs = performance.now()
  const drained = gateway.drain()
  await expect(chat(url)).rejects.toThrow()
  const shortEvents = await readEvents(short)
  expect(shortEvents.events.at(-1)).toBe('[DONE]')
  const longEvents = await readEvents(long)
  expect(performance.now() - startedMs).toBeGreaterThan(1_400)
  expect(JSON.parse(longEvents.events.at(-1) as string).error.message).toContain('shutting down')
  await drained
  // The second after the limit is for the error events to go out.
  expect(performance.now() - startedMs).toBeLessThan(1_500 + 1_000 + 300)
  expect(gateway.vitals.inFlight).toBe(0)
})

test('line 33: a drain ends with the last answer, though its client keeps the connection', async () => {
  const one = await engine({ speed: 1, decodeTokensPerSecond: 100 })
  const { url, gateway } = await fleet({
    endpoints: endpointsOf({ one }),
    gateway: { drainMs: 10_000 },
  })
  const agent = new Agent({ keepAlive: true })
  afterTest(() => agent.destroy())
  const request = httpRequest(`${url}/v1/chat/completions`, {
    method: 'POST',
    agent,
    headers: { 'content-type': 'application/json' },
  })
  request.end(JSON.stringify({ ...question, stream: true, max_tokens: 30 }))
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const drained = gateway.drain()
  expect(await text(response)).toContain('[DONE]')
  const endedMs = performance.now()
  await drained
  expect(performance.now() - endedMs).toBeLessThan(500)
})

test('line 33: a gateway that is about to stop says so and still answers', async () => {
  const one = await engine()
  const { url, rows, gateway } = await fleet({
    endpoints: endpointsOf({ one }),
    gateway: { lameDuckMs: 60_000 },
  })
  expect((await fetch(`${url}/health/ready`)).status).toBe(200)
  void gateway.drain()
  const ready = await fetch(`${url}/health/ready`)
  expect(ready.status).toBe(503)
  expect(await ready.json()).toEqual({ status: 'draining' })
  expect((await fetch(`${url}/health/live`)).status).toBe(200)
  const answer = await chat(url)
  expect(answer.status).toBe(200)
  // The next request of this client finds another gateway, while there is time for it.
  expect(answer.headers.get('connection')).toBe('close')
  expect(await rows()).toMatchObject([{ name: 'one', state: 'ready' }])
  await gateway.close()
  await expect(chat(url)).rejects.toThrow()
})

test('line 33: and takes nothing new once that time is over', async () => {
  const one = await engine()
  const { url, gateway } = await fleet({
    endpoints: endpointsOf({ one }),
    gateway: { lameDuckMs: 1 },
  })
  await gateway.drain()
  await expect(chat(url)).rejects.toThrow()
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
  expect(reload({ endpoints: [], gateway: { accessLogFormat: 'json' } })).toMatchObject({
    applied: false,
    reason: expect.stringContaining('gateway.accessLogFormat'),
  })
  expect((await chat(url)).status).toBe(200)
})
