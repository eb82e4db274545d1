/** An answer that broke off waits for a machine that comes back, and for nothing else. */
import { expect, test } from 'vitest'
import type { EmulatorOptions } from '#emulator/options.ts'
import { motley } from './harness/command.ts'
import {
  type ConfigText,
  chat,
  contentOf,
  endpointsOf,
  engine,
  fleet,
  readEvents,
} from './harness/fleet.ts'
import { answerJson, chatEvent, scriptedEngine } from './harness/scripted-engine.ts'
import { untilTrue } from './harness/until-true.ts'

const errorOf = (events: readonly string[]) => JSON.parse(events.at(-1) as string).error

/** An engine that falls silent in mid-answer, behind a gateway that soon takes that for its end. */
async function silentEngine(
  gateway: ConfigText = {},
  { more = {}, options = {} }: { more?: ConfigText; options?: Partial<EmulatorOptions> } = {},
) {
  const only = await engine({ faults: ['stall:5:60s'], ...options })
  const config = {
    endpoints: endpointsOf({ only }),
    gateway: { timeouts: { betweenChunksMs: 200 }, ...gateway },
    ...more,
  }
  return { only, config, ...(await fleet(config)) }
}

test('an answer waits for an endpoint whose weight was taken, and goes on when it has one again', async () => {
  const { url, only, config, gateway, reload } = await silentEngine()
  const read = chat(url, { stream: true }).then(readEvents)
  await untilTrue('the engine is asked', () => only.stats().started === 1)
  reload({ ...config, endpoints: endpointsOf({ only }, { weight: 0 }) })
  await untilTrue('it waits', () => gateway.vitals.queued === 1)
  only.setFaults([])
  reload(config)
  const { events, broken } = await read
  const whole = await readEvents(await chat(only.url, { stream: true }))
  expect([broken, contentOf(events)]).toEqual([false, contentOf(whole.events)])
})

test('an answer whose machine rests after a 429 waits as long as it may, and the gateway serves others', async () => {
  const only = await scriptedEngine(({ response, number }) => {
    if (number === 1) {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(chatEvent('Hello'), () => response.socket?.resetAndDestroy())
    } else {
      response.setHeader('retry-after', '30')
      answerJson(response, 429, { error: { message: 'no room' } })
    }
  })
  const { url, gateway } = await fleet({
    endpoints: endpointsOf({ only }, { engine: 'vllm' }),
    gateway: { retries: { returnMs: 1_000 } },
  })
  const response = await chat(url, { stream: true })
  const read = readEvents(response)
  await untilTrue('it was refused', () => only.received.length === 2)
  await untilTrue('it waits', () => gateway.vitals.queued === 1)
  expect((await fetch(`${url}/health/live`)).status).toBe(200)
  const { events, broken } = await read
  expect([broken, errorOf(events).code]).toEqual([true, 'stream_interrupted'])
  expect(only.received).toHaveLength(2)
  const { out } = await motley(['why', response.headers.get('x-request-id') ?? '', '--url', url])
  expect(out).toMatch(/only +refused .*asked to be left alone/)
  expect(out).toContain('of it waiting for room')
})

test('where a fallback cannot go on, the answer waits for its own machine', async () => {
  const only = await engine({ models: ['big'], faults: ['stall:5:60s'] })
  const other = await engine({ models: ['small'], engine: 'openai' })
  const { url, gateway, until } = await fleet({
    endpoints: endpointsOf({ only, other }),
    models: { big: { fallback: ['small'] } },
    gateway: { timeouts: { betweenChunksMs: 200 } },
  })
  const asks = { stream: true, model: 'big', temperature: 0.7 }
  const read = chat(url, asks).then(readEvents)
  await untilTrue('the engine is asked', () => only.stats().started === 1)
  only.setFaults(['refuse'])
  await until('it is gone', (rows) => rows.some(({ state }) => state === 'failed'))
  await untilTrue('the answer waits', () => gateway.vitals.queued === 1)
  only.setFaults([])
  const { events, broken } = await read
  expect([broken, events.at(-1)]).toEqual([false, '[DONE]'])
  expect(other.stats().started).toBe(0)
})

test('an endpoint that is taken out of the configuration and put back goes on with its answer', async () => {
  const { url, only, config, gateway, reload } = await silentEngine()
  const read = chat(url, { stream: true }).then(readEvents)
  await untilTrue('the engine is asked', () => only.stats().started === 1)
  reload({ ...config, endpoints: [] })
  await untilTrue('it waits', () => gateway.vitals.queued === 1)
  only.setFaults([])
  reload(config)
  const { events, broken } = await read
  const whole = await readEvents(await chat(only.url, { stream: true }))
  expect([broken, contentOf(events)]).toEqual([false, contentOf(whole.events)])
})

test('an answer waits no longer in all than it may, however often its machine seems to be back', async () => {
  const { url, only, gateway } = await silentEngine({
    timeouts: { betweenChunksMs: 200 },
    retries: { returnMs: 1_000, maxAttempts: 16 },
  })
  const read = chat(url, { stream: true }).then(readEvents)
  await untilTrue('the engine is asked', () => only.stats().started === 1)
  only.setFaults(['status:503'])
  const { events, broken } = await read
  expect([broken, errorOf(events).code]).toEqual([true, 'stream_interrupted'])
  // Checked every 100 ms, it says each time that it is well.
  const asked = only.received().filter(({ path }) => path === '/v1/chat/completions')
  expect(asked.length).toBeLessThan(16)
  expect(gateway.vitals).toMatchObject({ inFlight: 0, queued: 0 })
})

test('a gateway whose queue is full tells an answer that would wait', async () => {
  const { url, only } = await silentEngine({
    timeouts: { betweenChunksMs: 200 },
    queue: { maxRequests: 0 },
  })
  const read = chat(url, { stream: true }).then(readEvents)
  await untilTrue('the engine is asked', () => only.stats().started === 1)
  only.setFaults(['refuse'])
  const { events, broken } = await read
  expect([broken, errorOf(events).code]).toEqual([true, 'stream_interrupted'])
})

test('a gateway that stops while an answer waits says that it is not whole', async () => {
  const { url, only, gateway } = await silentEngine({
    timeouts: { betweenChunksMs: 200 },
    drainMs: 50,
  })
  const read = chat(url, { stream: true }).then(readEvents)
  await untilTrue('the engine is asked', () => only.stats().started === 1)
  only.setFaults(['refuse'])
  await untilTrue('it waits', () => gateway.vitals.queued === 1)
  await gateway.drain()
  const { events, broken } = await read
  expect([broken, errorOf(events).code]).toEqual([true, 'stream_interrupted'])
  expect(gateway.vitals).toMatchObject({ inFlight: 0, queued: 0 })
})

test.each(['least-connections', 'fastest'])(
  'of 200 answers whose only machine dies all are finished there once it is back, by %s',
  async (strategy) => {
    const { url, only, gateway, until } = await silentEngine(
      { timeouts: { betweenChunksMs: 10_000 }, retries: { returnMs: 30_000 } },
      { more: { routing: { strategy } }, options: { slots: 256 } },
    )
    const reads = Array.from({ length: 200 }, () => chat(url, { stream: true }).then(readEvents))
    await untilTrue('all are begun', () => only.stats().started === 200)
    only.setFaults(['refuse'])
    await until('it is gone', ([row]) => row?.state === 'failed')
    await untilTrue('all wait', () => gateway.vitals.queued === 200, {
      seen: () => gateway.vitals,
    })
    only.setFaults([])
    const ends = await Promise.all(reads)
    const whole = await readEvents(await chat(only.url, { stream: true }))
    const said = new Set(ends.map(({ events, broken }) => `${broken} ${contentOf(events)}`))
    expect([...said]).toEqual([`false ${contentOf(whole.events)}`])
    expect(gateway.vitals).toMatchObject({
      inFlight: 0,
      queued: 0,
      inFlightByEndpoint: { only: 0 },
    })
  },
)
