/** Engines that answer what no engine should. */
import { expect, test } from 'vitest'
import { accessLogFile } from './harness/access-log.ts'
import { chat, endpointsOf, fleet } from './harness/fleet.ts'
import { answerChat, scriptedEngine } from './harness/scripted-engine.ts'

interface Told {
  readonly error: { readonly code: string; readonly message: string }
}

test.each(['constructor', 'toString', '__proto__'])(
  'a model named "%s" is a model like any other',
  async (model) => {
    const one = await scriptedEngine(({ response }) => answerChat(response), { models: [model] })
    const { url, gateway } = await fleet({ endpoints: endpointsOf({ one }) })
    expect((await chat(url, { model })).status).toBe(200)
    expect(gateway.vitals.inFlightByEndpoint).toEqual({ one: 0 })
  },
)

test('the key of an endpoint stays here, even when the engine quotes it', async () => {
  const apiKey = 'sk-node-secret-123'
  const accessLog = accessLogFile()
  const strict = await scriptedEngine(({ response }) => {
    response.writeHead(401, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ error: { message: `Incorrect API key provided: ${apiKey}` } }))
  })
  const { url, gateway } = await fleet({
    gateway: { accessLog: accessLog.path },
    endpoints: endpointsOf({ strict }, { apiKey }),
  })
  const answer = await chat(url)
  expect(answer.status).toBe(502)
  expect(await answer.text()).toContain('Incorrect API key provided: ***')
  await gateway.close()
  const line = accessLog.text()
  expect(line).toContain('"status":502')
  expect(line).not.toContain(apiKey)
})

test('what an engine quotes from a prompt is not logged', async () => {
  const accessLog = accessLogFile()
  const chatty = await scriptedEngine(({ response }) => {
    response.writeHead(400, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ error: { message: 'bad value "my password is hunter2"' } }))
  })
  const { url, gateway } = await fleet({
    gateway: { accessLog: accessLog.path },
    endpoints: endpointsOf({ chatty }),
  })
  expect(await (await chat(url)).text()).toContain('hunter2')
  await gateway.close()
  expect(accessLog.text()).toContain('"attempts":["chatty: 400"]')
})

test("an engine's copies of the gateway's headers end at the gateway", async () => {
  const copycat = await scriptedEngine(({ response }) => {
    response.setHeader('x-request-id', 'theirs')
    response.setHeader('x-motley-endpoint', 'theirs')
    answerChat(response)
  })
  const { url } = await fleet({ endpoints: endpointsOf({ copycat }) })
  const answer = await chat(url, {}, { headers: { 'x-request-id': 'mine' } })
  expect(answer.headers.get('x-request-id')).toBe('mine')
  expect(answer.headers.get('x-motley-endpoint')).toBe('copycat')
})

test.each([
  ['a redirect', 302, { location: 'http://10.0.0.1:9/internal' }, ''],
  ['no content', 204, {}, ''],
  ['not modified', 304, {}, ''],
  ['an empty body', 200, { 'content-type': 'application/json' }, ''],
  ['half of its JSON', 200, { 'content-type': 'application/json' }, '{"choices":[{"mess'],
  ['no JSON', 200, { 'content-type': 'application/json' }, '<html></html>'],
])(
  'an engine that answers with %s has failed, and another one answers',
  async (_what, status, headers, body) => {
    const odd = await scriptedEngine(({ response }) => {
      response.writeHead(status, headers as Record<string, string>)
      response.end(body)
    })
    const good = await scriptedEngine(({ response }) => answerChat(response))
    const alone = await fleet({ endpoints: endpointsOf({ odd }) })
    const refusal = await chat(alone.url)
    expect(refusal.status).toBe(502)
    expect(refusal.headers.get('location')).toBeNull()
    expect(((await refusal.json()) as Told).error.code).toBe('engine_failed')
    const both = await fleet({
      endpoints: [...endpointsOf({ odd }, { weight: 1000 }), ...endpointsOf({ good })],
    })
    const answer = await chat(both.url)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('x-motley-attempts')).toBe('2')
  },
)

test("an engine's endless Retry-After is an hour for clients", async () => {
  const later = await scriptedEngine(({ response }) => {
    response.writeHead(503, { 'retry-after': '99999999999999999999999' })
    response.end('{}')
  })
  const { url } = await fleet({ endpoints: endpointsOf({ later }) })
  expect((await chat(url)).headers.get('retry-after')).toBe('3600')
})

test('clients may leave /v1 out, and engines are asked on the path that they know', async () => {
  const one = await scriptedEngine(({ response }) => answerChat(response))
  const { url } = await fleet({ endpoints: endpointsOf({ one }) })
  const answer = await fetch(`${url}/chat/completions?seed=1`, {
    method: 'POST',
    body: JSON.stringify({ model: 'llama-3.1-8b', messages: [] }),
  })
  expect(answer.status).toBe(200)
  expect(one.received.at(-1)?.path).toBe('/v1/chat/completions?seed=1')
})
