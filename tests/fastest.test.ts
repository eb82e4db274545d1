/** Requests that `fastest` places, through a gateway over real sockets. */
import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { motley } from './harness/command.ts'
import {
  type ConfigText,
  chat,
  endpointsOf,
  engine,
  fleet,
  post,
  readEvents,
} from './harness/fleet.ts'
import { answerChat, scriptedEngine } from './harness/scripted-engine.ts'
import { untilTrue } from './harness/until-true.ts'

const byFastest = { routing: { strategy: 'fastest' } }

/** Those whose state no check decides: a machine under load misses checks. */
const unchecked = (engines: Parameters<typeof endpointsOf>[0]) =>
  endpointsOf(engines, { models: ['llama-3.1-8b'], health: { enabled: false } })

/** The decision record of an answer, once it is kept: that is after the answer's last byte. */
async function recordOf(url: string, response: Response) {
  const path = `${url}/admin/v1/decisions/${response.headers.get('x-request-id')}`
  let page = await fetch(path)
  await untilTrue('the record is kept', async () => {
    page = await fetch(path)
    return page.ok
  })
  return (await page.json()) as {
    queueMs: number
    decisions: { candidates: { endpoint: string; verdict: string; ttftMs: number }[] }[]
    attempts: {
      ttftMs: number | null
      tpotMs: number | null
      predicted: { ttftMs: number; tpotMs: number } | null
    }[]
  }
}

test('one endpoint with room adds no wait, whether the answer streams or not', async () => {
  const only = await engine()
  const { url } = await fleet({ ...byFastest, endpoints: unchecked({ only }) }, { watched: false })
  for (let round = 0; round < 20; round++) {
    const response = await chat(url, { stream: round % 2 === 0 })
    expect(response.status).toBe(200)
    await response.text()
    expect((await recordOf(url, response)).queueMs).toBe(0)
  }
})

test('many at once on one endpoint that says nothing of itself are not held back', async () => {
  const open: ServerResponse[] = []
  const only = await scriptedEngine(({ response }) => open.push(response))
  const { url, gateway } = await fleet({ ...byFastest, endpoints: endpointsOf({ only }) })
  const answers = Array.from({ length: 40 }, (_, index) => chat(url, { stream: index % 2 === 0 }))
  await untilTrue('all of them are there', () => open.length === 40)
  expect(gateway.vitals.queued).toBe(0)
  for (const response of open) answerChat(response)
  for (const answer of answers) expect((await answer).status).toBe(200)
  expect(gateway.vitals.inFlightByEndpoint).toEqual({ only: 0 })
})

test('an endpoint ten times as fast is learnt to be, and gets the lone requests', async () => {
  const slow = await engine({ speed: 1, prefillTokensPerSecond: 2_000, decodeTokensPerSecond: 20 })
  const quick = await engine({
    speed: 1,
    prefillTokensPerSecond: 20_000,
    decodeTokensPerSecond: 400,
  })
  const { url } = await fleet(
    { ...byFastest, endpoints: unchecked({ slow, quick }) },
    { watched: false },
  )
  // Together they reach both, and both are measured.
  await Promise.all(
    Array.from({ length: 24 }, async () => readEvents(await chat(url, { stream: true }))),
  )
  const places: (string | null)[] = []
  for (let round = 0; round < 5; round++) {
    const response = await chat(url, { stream: true })
    places.push(response.headers.get('x-motley-endpoint'))
    await readEvents(response)
  }
  expect(places).toEqual(['quick', 'quick', 'quick', 'quick', 'quick'])
})

test('the record tells what was predicted beside what came, and motley why puts it in words', async () => {
  const only = await engine({ speed: 1, decodeTokensPerSecond: 200 })
  const { url } = await fleet({ ...byFastest, endpoints: unchecked({ only }) }, { watched: false })
  const response = await chat(url, { stream: true })
  await readEvents(response)
  const record = await recordOf(url, response)
  expect(record.decisions[0]?.candidates[0]).toMatchObject({ endpoint: 'only', verdict: 'chosen' })
  const [attempt] = record.attempts
  expect(attempt?.predicted?.ttftMs).toBeGreaterThan(0)
  expect(attempt?.tpotMs).toBeGreaterThan(2)
  const { out } = await motley([
    ...['why', response.headers.get('x-request-id') ?? '', '--url', url],
  ])
  expect(out).toMatch(
    /first token \d+ ms after it was sent \(first guess ~\d+ ms\), then .* ms each/,
  )
})

test('texts to embed and chats share an endpoint, and each is answered', async () => {
  const only = await engine({ models: ['llama-3.1-8b', 'bge-m3'] })
  const { url, gateway } = await fleet({ ...byFastest, endpoints: endpointsOf({ only }) })
  const embed = () => post(`${url}/v1/embeddings`, { model: 'bge-m3', input: ['one', 'two'] })
  const all = await Promise.all(
    Array.from({ length: 30 }, (_, index) => (index % 3 === 0 ? chat(url) : embed())),
  )
  expect(all.map(({ status }) => status)).toEqual(Array.from({ length: 30 }, () => 200))
  expect(gateway.vitals).toMatchObject({ queued: 0, inFlightByEndpoint: { only: 0 } })
})

/** In which order an engine that takes one at a time gets what is asked while the first runs. */
async function servedInOrder(
  config: ConfigText,
  asked: readonly {
    readonly says: string
    readonly key: string
    readonly own?: string
    readonly model?: string
  }[],
): Promise<string[]> {
  const open: ServerResponse[] = []
  const models = ['llama-3.1-8b', 'bge-m3']
  const only = await scriptedEngine(
    ({ response, request }) => {
      expect(request.headers['x-motley-class']).toBeUndefined()
      open.push(response)
    },
    { models },
  )
  const endpoints = unchecked({ only }).map((one) => ({ ...one, maxInFlight: 1, models }))
  const { url, gateway } = await fleet({ ...byFastest, ...config, endpoints }, { watched: false })
  const answers = []
  for (const [index, { says, key, own, model }] of asked.entries()) {
    const body = {
      messages: [{ role: 'user', content: says }],
      ...(model === undefined ? {} : { model }),
    }
    const headers = {
      'content-type': 'application/json',
      authorization: `Bearer ${key}`,
      ...(own === undefined ? {} : { 'x-motley-class': own }),
    }
    answers.push(chat(url, body, { headers }))
    if (index === 0) await untilTrue('it is there', () => open.length === 1)
    else await untilTrue('it waits', () => gateway.vitals.queued === index)
  }
  for (let answered = 0; answered < asked.length; answered++) {
    await untilTrue('the next is there', () => open.length > answered)
    answerChat(open[answered] as ServerResponse)
  }
  await Promise.all(answers)
  return only.received.map(({ body }) => JSON.parse(String(body)).messages[0].content)
}

test('a batch key stays one whatever its requests say, and a wrong class is no class', async () => {
  const app = 'mk-app-1234'
  const night = 'mk-night-1234'
  const keys = [
    { name: 'app', key: app },
    { name: 'night', key: night, class: 'batch' },
  ]
  const order = await servedInOrder({ gateway: { keys } }, [
    { says: 'first', key: app, own: 'nonsense' },
    { says: 'night', key: night, own: 'interactive' },
    { says: 'day', key: app, own: 'standard' },
  ])
  expect(order).toEqual(['first', 'day', 'night'])
})

test('of one class goes first whose key, or else whose model or deployment, has the higher priority', async () => {
  const usual = 'mk-usual-1234'
  const boss = 'mk-boss-1234'
  const keys = [
    { name: 'usual', key: usual },
    { name: 'boss', key: boss, priority: 'critical' },
  ]
  const config = {
    gateway: { keys },
    deployments: { chat: { model: 'llama-3.1-8b', priority: 'high' } },
    models: { 'bge-m3': { priority: 'low' } },
  }
  const order = await servedInOrder(config, [
    { says: 'first', key: usual },
    { says: 'low model', key: usual, model: 'bge-m3' },
    { says: 'high deployment', key: usual },
    { says: 'batch of the boss', key: boss, own: 'batch' },
    { says: 'boss', key: boss, model: 'bge-m3' },
  ])
  expect(order).toEqual(['first', 'boss', 'high deployment', 'low model', 'batch of the boss'])
})

test('another strategy after a reload takes over who waits, and running requests end by the old one', async () => {
  const open: ServerResponse[] = []
  const only = await scriptedEngine(({ response }) => open.push(response))
  const config = (strategy: string) => ({
    routing: { strategy },
    // Sooner than anything but the end of the running one makes room.
    gateway: { queue: { timeoutMs: 5_000 } },
    endpoints: unchecked({ only }).map((one) => ({ ...one, maxInFlight: 1 })),
  })
  const made = await fleet(config('least-connections'), { watched: false })
  const answers = [chat(made.url)]
  await untilTrue('the first is there', () => open.length === 1)
  answers.push(chat(made.url), chat(made.url))
  await untilTrue('two wait', () => made.gateway.vitals.queued === 2)
  for (const strategy of ['fastest', 'round-robin', 'fastest']) {
    expect(made.reload(config(strategy))).toMatchObject({ applied: true })
    expect(made.gateway.vitals).toMatchObject({ queued: 2, inFlightByEndpoint: { only: 1 } })
  }
  for (let answered = 0; answered < 3; answered++) {
    await untilTrue('the next is there', () => open.length > answered)
    answerChat(open[answered] as ServerResponse)
  }
  for (const answer of answers) expect((await answer).status).toBe(200)
  expect(made.gateway.vitals).toMatchObject({ queued: 0, inFlightByEndpoint: { only: 0 } })
})

test('a queue that is full refuses the next, and one that leaves makes room for it', async () => {
  const open: ServerResponse[] = []
  const only = await scriptedEngine(({ response }) => open.push(response))
  const { url, gateway } = await fleet(
    {
      ...byFastest,
      gateway: { queue: { maxRequests: 1 } },
      endpoints: unchecked({ only }).map((one) => ({ ...one, maxInFlight: 1 })),
    },
    { watched: false },
  )
  const running = chat(url)
  await untilTrue('it is there', () => open.length === 1)
  const leaving = new AbortController()
  const waiting = chat(url, {}, { signal: leaving.signal }).catch(() => null)
  await untilTrue('one waits', () => gateway.vitals.queued === 1)
  const refused = await chat(url)
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1'])
  leaving.abort()
  await waiting
  await untilTrue('nobody waits', () => gateway.vitals.queued === 0)
  answerChat(open[0] as ServerResponse)
  expect((await running).status).toBe(200)
})
