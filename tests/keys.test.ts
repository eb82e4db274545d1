/** What keys may use, and what happens to that over time. */
import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { chat, endpointsOf, fleet } from './harness/fleet.ts'
import { answerChat, scriptedEngine } from './harness/scripted-engine.ts'

const bearer = (key: string) => ({ headers: { authorization: `Bearer ${key}` } })

test('a reload while requests of a key run costs it none of its places', async () => {
  const open: ServerResponse[] = []
  const engine = await scriptedEngine(({ response }) => open.push(response))
  const config = (rpm: number) => ({
    gateway: { keys: [{ name: 'app', key: 'mk-app-123', maxParallel: 1, rpm }] },
    endpoints: endpointsOf({ engine }),
  })
  const made = await fleet(config(1000), { settled: false })
  const running = chat(made.url, {}, bearer('mk-app-123'))
  while (open.length === 0) await new Promise(setImmediate)
  expect(made.reload(config(1001))).toMatchObject({ applied: true })
  answerChat(open[0] as ServerResponse)
  expect((await running).status).toBe(200)
  const next = chat(made.url, {}, bearer('mk-app-123'))
  while (open.length === 1) await new Promise(setImmediate)
  answerChat(open[1] as ServerResponse)
  expect((await next).status).toBe(200)
})

test('a stream that was left early is charged for what it brought, not for what it might have', async () => {
  const engine = await scriptedEngine(({ response, request }) => {
    if (request.headers['x-kind'] !== 'stream') {
      answerChat(response)
      return
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: {"choices":[{"index":0,"delta":{"content":"one"}}]}\n\n')
  })
  const { url, gateway } = await fleet(
    {
      gateway: { keys: [{ name: 'app', key: 'mk-app-123', tpm: 1000 }] },
      endpoints: endpointsOf({ engine }),
    },
    { settled: false },
  )
  const leaving = new AbortController()
  const stream = await chat(
    url,
    { stream: true, max_tokens: 1_000_000 },
    {
      headers: { ...bearer('mk-app-123').headers, 'x-kind': 'stream' },
      signal: leaving.signal,
    },
  )
  await stream.body?.getReader().read()
  leaving.abort()
  while (gateway.vitals.inFlight > 0) await new Promise(setImmediate)
  expect((await chat(url, { max_tokens: 1 }, bearer('mk-app-123'))).status).toBe(200)
})

test('a fallback model is for keys that may use it', async () => {
  const engine = await scriptedEngine(
    ({ response }) => {
      if (JSON.parse(String(engine.received.at(-1)?.body)).model === 'b') answerChat(response)
      else {
        response.writeHead(503)
        response.end('{}')
      }
    },
    { models: ['a', 'b'] },
  )
  const { url } = await fleet(
    {
      gateway: {
        keys: [
          { name: 'only-a', key: 'mk-only-a', models: ['a'] },
          { name: 'both', key: 'mk-both-1', models: ['a', 'b'] },
        ],
      },
      models: { a: { fallback: ['b'] } },
      endpoints: endpointsOf({ engine }),
    },
    { settled: false },
  )
  expect((await chat(url, { model: 'a' }, bearer('mk-only-a'))).status).toBe(503)
  expect((await chat(url, { model: 'a' }, bearer('mk-both-1'))).status).toBe(200)
})

test('a second spelling of "model" beside it is refused', async () => {
  const engine = await scriptedEngine(({ response }) => answerChat(response))
  const { url } = await fleet({ endpoints: endpointsOf({ engine }) })
  expect((await chat(url, { MODEL: 'another' })).status).toBe(400)
})
