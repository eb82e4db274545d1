/** gateway-checklist.md, HTTP hygiene, data and fairness: lines 34 to 49. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { motleyConfig } from '#core/config/document.ts'
import { startGateway } from '#gateway/gateway.ts'
import { listen } from '#gateway/server.ts'
import { afterTest } from './harness/after-test.ts'
import { chat, endpointsOf, engine, fleet, post, question } from './harness/fleet.ts'
import { chatBytes, raw } from './harness/raw-http.ts'
import { scriptedEngine, wholeChat } from './harness/scripted-engine.ts'
import { untilTrue } from './harness/until-true.ts'

async function oneEngine(config: Record<string, unknown> = {}) {
  const one = await engine()
  return { one, ...(await fleet({ endpoints: endpointsOf({ one }), ...config })) }
}

const body = JSON.stringify(question)

test('line 34: headers of the connection to a client, and credentials, end at the gateway', async () => {
  const { one, url } = await oneEngine()
  const lines = [
    'authorization: Bearer client-secret',
    'cookie: a=b',
    'x-api-key: k',
    'connection: close, x-hop',
    'x-hop: 1',
    'te: trailers',
    'x-keep: yes',
  ]
  expect(await raw(url, chatBytes({}, lines))).toContain('200 OK')
  const sent = one.received().findLast(({ method }) => method === 'POST')?.headers ?? {}
  for (const name of ['authorization', 'cookie', 'x-api-key', 'x-hop', 'te']) {
    expect(sent[name]).toBeUndefined()
  }
  expect(sent['x-keep']).toBe('yes')
  expect(sent['host']).toBe(new URL(one.url).host)
})

test('line 34: headers of the connection to an engine, and its cookies, end at the gateway', async () => {
  const body = JSON.stringify(wholeChat)
  const talkative = await scriptedEngine(({ response }) => {
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      connection: 'x-hop, keep-alive',
      'x-hop': 'of-the-engine',
      'keep-alive': 'timeout=7777',
      'proxy-authenticate': 'of-the-engine',
      upgrade: 'of-the-engine',
      server: 'of-the-engine',
      'set-cookie': ['a=of-the-engine', 'b=of-the-engine'],
      'access-control-allow-origin': 'of-the-engine',
      'alt-svc': 'of-the-engine',
      'x-kept': 'yes',
    })
    response.end(body)
  })
  const { url } = await fleet({ endpoints: endpointsOf({ talkative }) })
  const answer = await raw(url, chatBytes({}, ['connection: close']))
  const head = answer.slice(0, answer.indexOf('\r\n\r\n')).toLowerCase()
  expect(head).toContain('200 ok')
  expect(head).toContain('x-kept: yes')
  expect(head).not.toContain('of-the-engine')
  expect(head).not.toContain('7777')
  expect(head.match(/^content-length: .*$/gm)).toEqual([`content-length: ${body.length}`])
})

test('line 34: the key of an endpoint goes there and nowhere else', async () => {
  const one = await engine({ apiKey: 'engine-secret' })
  const { url } = await fleet({ endpoints: endpointsOf({ one }, { apiKey: 'engine-secret' }) })
  const response = await chat(url)
  expect(response.status).toBe(200)
  expect(JSON.stringify([...response.headers]) + (await response.text())).not.toContain(
    'engine-secret',
  )
})

const start = 'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n'
test.each([
  [
    'a length and chunks at once',
    `${start}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  ['two lengths', `${start}content-length: 5\r\ncontent-length: 6\r\n\r\nabcdef`],
  [
    'a chunk size that is no number',
    `${start}transfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n`,
  ],
  ['bare line feeds', 'POST /v1/chat/completions HTTP/1.1\nhost: x\ncontent-length: 2\n\n{}'],
  ['a folded header', `${start}x-a: 1\r\n b: 2\r\ncontent-length: 2\r\n\r\n{}`],
  ['a blank before the colon', `${start}content-length : 2\r\n\r\n{}`],
  ['an unknown transfer coding', `${start}transfer-encoding: gzip\r\n\r\n{}`],
])('line 35: a request with %s is refused and never reaches an engine', async (_name, bytes) => {
  const { one, url } = await oneEngine()
  const answer = await raw(url, bytes)
  expect(answer).toMatch(/^HTTP\/1\.1 (400|415)/)
  expect(answer).toContain('"error"')
  expect(one.stats().started).toBe(0)
})

test('line 36: Expect: 100-continue is answered, and refused early when the body is too large', async () => {
  const { url } = await oneEngine({ gateway: { limits: { jsonBytes: 1000 } } })
  const head = `${start}expect: 100-continue\r\nconnection: close\r\n`
  const fine = await raw(url, `${head}content-length: ${body.length}\r\n\r\n${body}`)
  expect(fine).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/)
  const large = await raw(url, `${head}content-length: 1001\r\n\r\n`)
  expect(large).toMatch(/^HTTP\/1\.1 413/)
})

test.each([
  ['gzip', gzipSync(body)],
  ['zstd', zstdCompressSync(body)],
])('line 36: a body packed with %s is unpacked', async (encoding, packed) => {
  const { url } = await oneEngine()
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-encoding': encoding },
    body: packed,
  })
  expect(response.status).toBe(200)
})

test('line 38: a connection that the engine closed while idle costs no request', async () => {
  const one = await engine({ faults: ['keep-alive-race'] })
  const { url } = await fleet({ endpoints: endpointsOf({ one }) })
  for (let count = 0; count < 30; count++) expect((await chat(url)).status).toBe(200)
})

test('line 39: headers of more than 32 KiB get a JSON 431', async () => {
  const { one, url } = await oneEngine()
  const huge = await raw(
    url,
    `GET /health HTTP/1.1\r\nhost: x\r\nx-a: ${'a'.repeat(40_000)}\r\n\r\n`,
  )
  expect(huge).toMatch(/^HTTP\/1\.1 431/)
  expect(huge).toContain('headers_too_large')
  expect(one.stats().started).toBe(0)
})

test('line 39: headers that trickle in are cut off with a JSON 408', async () => {
  let handled = 0
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    headersTimeoutMs: 300,
    halfClose: () => 'keep',
    handle: () => handled++,
  })
  afterTest(() => listener.destroy())
  const socket = connect(Number(new URL(listener.url).port), '127.0.0.1')
  afterTest(() => socket.destroy())
  let received = ''
  socket.on('data', (chunk) => {
    received += chunk
  })
  socket.on('error', () => {})
  socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n')
  // A line of headers now and then: never silent, and never done.
  const trickle = setInterval(() => socket.write('x-a: 1\r\n'), 20)
  const tookMs = await untilTrue('the connection is closed', () => socket.closed)
  clearInterval(trickle)
  expect(received).toMatch(/^HTTP\/1\.1 408/)
  expect(received).toContain('"request_timeout"')
  expect(tookMs).toBeGreaterThan(290)
  expect(handled).toBe(0)
  expect(listener.openConnections).toBe(0)
})

test('line 39: a body that trickles in is cut off at the limit', async () => {
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    headersTimeoutMs: 300,
    requestTimeoutMs: 300,
    halfClose: () => 'keep',
    handle: (request) => request.resume(),
  })
  afterTest(() => listener.destroy())
  const socket = connect(Number(new URL(listener.url).port), '127.0.0.1')
  afterTest(() => socket.destroy())
  socket.on('error', () => {})
  socket.resume()
  socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n')
  const trickle = setInterval(() => socket.write('x'), 20)
  const tookMs = await untilTrue('the connection is closed', () => socket.closed)
  clearInterval(trickle)
  expect(tookMs).toBeGreaterThan(290)
})

test('line 39: a body over the limit of its path gets a clear 413', async () => {
  const { url } = await oneEngine({ gateway: { limits: { jsonBytes: 500 } } })
  const response = await chat(url, { messages: [{ role: 'user', content: 'x'.repeat(1000) }] })
  expect(response.status).toBe(413)
  expect(await response.json()).toMatchObject({ error: { code: 'request_too_large' } })
})

test('line 40: a form is routed by its model wherever that stands, its bytes untouched', async () => {
  const one = await engine({ tasks: ['transcription'], models: ['whisper'] })
  const { url } = await fleet({
    endpoints: endpointsOf({ one }),
    gateway: { limits: { memoryBytes: 1000 } },
  })
  const file = new Blob([new Uint8Array(200_000).map((_, index) => index * 7)])
  for (const modelFirst of [true, false]) {
    const form = new FormData()
    if (modelFirst) form.append('model', 'whisper')
    form.append('file', file, 'speech.wav')
    form.append('language', 'en')
    if (!modelFirst) form.append('model', 'whisper')
    const response = await fetch(`${url}/v1/audio/transcriptions`, { method: 'POST', body: form })
    expect(response.status).toBe(200)
    expect(((await response.json()) as { text: string }).text).toContain('200000')
  }
})

const formPart = (parameters: string, value: string) =>
  `--B\r\nContent-Disposition: form-data; ${parameters}\r\n\r\n${value}\r\n`
const fakeModel = '\r\n--BX\r\nContent-Disposition: form-data; name="model"\r\n\r\nallowed'

test.each([
  {
    how: 'a line in its file that begins like the boundary',
    form: formPart('name="file"; filename="a"', `RIFF${fakeModel}`) + formPart('name="model"', 'x'),
    status: 403,
  },
  {
    how: 'a second model',
    form: formPart('name="model"', 'allowed') + formPart('name="model"', 'x'),
    status: 400,
  },
  {
    how: 'a second model without quotes',
    form: formPart('name="model"', 'allowed') + formPart('name=model', 'x'),
    status: 400,
  },
])('line 40: a form with $how does not get a key past its models', async ({ form, status }) => {
  const models = ['allowed', 'x']
  const one = await engine({ tasks: ['transcription'], models })
  const { url } = await fleet(
    {
      endpoints: endpointsOf({ one }, { models }),
      gateway: { keys: [{ name: 'app', key: 'app-secret', models: ['allowed'], admin: true }] },
    },
    { adminKey: 'app-secret' },
  )
  const ask = (body: string) =>
    post(`${url}/v1/audio/transcriptions`, body, {
      headers: {
        authorization: 'Bearer app-secret',
        'content-type': 'multipart/form-data; boundary=B',
      },
    })
  expect((await ask(`${form}--B--\r\n`)).status).toBe(status)
  expect(one.stats().started).toBe(0)
  const honest = formPart('name=model', 'allowed') + formPart('name="file"; filename="a"', 'RIFF')
  expect((await ask(`${honest}--B--\r\n`)).status).toBe(200)
})

test('line 41: a path that is not there, a wrong method and an unknown model are told apart', async () => {
  const { url } = await oneEngine()
  const status = async (path: string, init: RequestInit) => (await fetch(url + path, init)).status
  expect(await status('/v1/nothing', {})).toBe(404)
  expect(await status('/v1/models/%E0%A4%A', {})).toBe(404)
  expect(await status('/admin/v1/decisions/%', {})).toBe(404)
  const wrong = await fetch(`${url}/v1/chat/completions`, { method: 'PUT' })
  expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST, OPTIONS'])
  expect(await status('/health', { method: 'POST' })).toBe(405)
  expect((await chat(url, { model: 'nope' })).status).toBe(404)
})

test('line 41: HEAD answers as GET does, without a body', async () => {
  const { url } = await oneEngine()
  const head = await fetch(`${url}/v1/models`, { method: 'HEAD' })
  const get = await fetch(`${url}/v1/models`)
  expect([head.status, await head.text()]).toEqual([200, ''])
  expect(head.headers.get('content-length')).toBe(String((await get.text()).length))
})

test('line 41: a page of this machine may ask first, and then ask', async () => {
  const { url } = await oneEngine()
  const origin = 'http://localhost:3000'
  const preflight = await fetch(`${url}/v1/chat/completions`, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST' },
  })
  expect(preflight.status).toBe(204)
  expect(preflight.headers.get('access-control-allow-origin')).toBe(origin)
  const headers = { origin, 'content-type': 'application/json' }
  const response = await chat(url, {}, { headers })
  expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([
    200,
    origin,
  ])
})

test('line 41: a page of another site gets 403 and reaches no engine', async () => {
  const { one, url } = await oneEngine()
  const foreign = await post(`${url}/v1/chat/completions`, question, {
    headers: { origin: 'https://evil.example' },
  })
  expect(foreign.status).toBe(403)
  expect(one.stats().started).toBe(0)
})

test('line 41: a known model whose endpoints are all down is a 503, not a 404', async () => {
  const one = await engine()
  const { url, until } = await fleet({ endpoints: endpointsOf({ one }) })
  await one.close()
  await until('it is failed', ([row]) => row?.state === 'failed')
  const response = await chat(url)
  expect(response.status).toBe(503)
  const { error } = (await response.json()) as { error: { message: string } }
  expect(error.message).toContain('one is failed')
})

test('line 43: numbers, key order and strange strings pass as they were written', async () => {
  const { one, url } = await oneEngine()
  const text = `{ "seed": 12345678901234567890, "model":"llama-3.1-8b","logit_bias":{"1":1.0e0}, "x":"\\ud800", "messages":[{"role":"user","content":"Hi"}] , "max_tokens":2}`
  expect((await post(`${url}/v1/chat/completions`, text)).status).toBe(200)
  expect(String(one.received().findLast(({ method }) => method === 'POST')?.body)).toBe(text)
})

test('line 47: no prompt, answer or key gets into metrics, stats or the decision record', async () => {
  const one = await engine()
  const { url } = await fleet({
    endpoints: endpointsOf({ one }),
  })
  const response = await chat(url, {
    messages: [{ role: 'user', content: 'the-secret-prompt' }],
    model: 'llama-3.1-8b',
  })
  const answer = ((await response.json()) as { choices: { message: { content: string } }[] })
    .choices[0]
  await chat(url, { model: 'made-up-by-a-client' })
  const id = response.headers.get('x-request-id')
  for (const path of [
    '/metrics',
    '/stats',
    '/stats;csv',
    `/admin/v1/decisions/${id}`,
    '/admin/v1/endpoints',
  ]) {
    const page = await (await fetch(url + path)).text()
    expect(page).not.toContain('the-secret-prompt')
    expect(page).not.toContain(answer?.message.content)
    if (path === '/metrics') expect(page).not.toContain('made-up-by-a-client')
  }
})

test('line 47: no prompt, answer or key gets into the access log or the log', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'motley-log-'))
  afterTest(() => rm(folder, { recursive: true }))
  const accessLog = join(folder, 'access.log')
  const one = await engine({ apiKey: 'engine-secret', faults: ['status:500@model=breaks'] })
  const { url, log } = await fleet(
    {
      endpoints: endpointsOf(
        { one },
        { apiKey: 'engine-secret', models: [question.model, 'breaks'] },
      ),
      gateway: { accessLog, keys: [{ name: 'app', key: 'client-secret', admin: true }] },
    },
    { adminKey: 'client-secret' },
  )
  const messages = [{ role: 'user', content: 'the-secret-prompt' }]
  const ask = (key: string, model: string) =>
    chat(
      url,
      { messages, model },
      { headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' } },
    )
  const response = await ask('client-secret', question.model)
  const answer = (await response.json()) as typeof wholeChat
  expect((await ask('client-secret', 'breaks')).status).toBe(502)
  expect((await ask('client-secret', 'made-up-by-a-client')).status).toBe(404)
  expect((await ask('a-wrong-secret', question.model)).status).toBe(401)
  let lines: string[] = []
  await untilTrue('every request has its line', async () => {
    lines = (await readFile(accessLog, 'utf8')).trim().split('\n')
    return lines.length === 4
  })
  expect(JSON.parse(lines[0] as string)).toMatchObject({
    requestId: response.headers.get('x-request-id'),
    key: 'app',
    status: 200,
  })
  for (const secret of [
    'the-secret-prompt',
    answer.choices[0]?.message.content as string,
    'client-secret',
    'engine-secret',
    'a-wrong-secret',
  ]) {
    expect(lines.join('\n')).not.toContain(secret)
    expect(log.join('\n')).not.toContain(secret)
  }
})

/** Puts the machine's clock forward or back by a day, as somebody does who sets it by hand. */
function jumpByDays(days: number): void {
  const now = Date.now
  afterTest(() => {
    Date.now = now
  })
  Date.now = () => now() + days * 86_400_000
}

test('line 49: a clock that jumps forward does not end a request before its time', async () => {
  const one = await engine({ faults: ['slow-first-token:400ms'] })
  const { url, gateway } = await fleet({
    endpoints: endpointsOf({ one }),
    // The deadline of the connection makes the watchdog look at the clock while the engine thinks.
    gateway: { timeouts: { connectMs: 150, firstByteMs: 5_000 } },
  })
  const pending = chat(url)
  await untilTrue('the engine has the request', () => one.stats().inFlight === 1)
  expect(gateway.vitals.inFlight).toBe(1)
  jumpByDays(1)
  expect((await pending).status).toBe(200)
})

test('line 49: a clock that jumps back does not keep a request beyond its time', async () => {
  const one = await engine({ faults: ['hang'] })
  const { url } = await fleet({
    endpoints: endpointsOf({ one }),
    gateway: { timeouts: { firstByteMs: 400 } },
  })
  const startedMs = performance.now()
  const pending = chat(url)
  await untilTrue('the engine has the request', () => one.stats().inFlight === 1)
  jumpByDays(-1)
  expect((await pending).status).toBe(504)
  expect(performance.now() - startedMs).toBeLessThan(2_000)
})

/** One engine of two models behind a gateway with these keys, and how to ask it. */
async function guarded(keys: Record<string, unknown>[], faults: string[] = []) {
  const one = await engine({ models: ['a', 'b'], faults })
  const operator = { name: 'operator', key: 'operator-secret', admin: true }
  const made = await fleet(
    { endpoints: endpointsOf({ one }), gateway: { keys: [operator, ...keys] } },
    { adminKey: 'operator-secret' },
  )
  const ask = async (key: string | null, body: Record<string, unknown> = {}) => {
    const headers: Record<string, string> = { 'content-type': 'application/json' }
    if (key !== null) headers['authorization'] = `Bearer ${key}`
    const response = await chat(made.url, { model: 'a', ...body }, { headers })
    await response.text()
    return response.status
  }
  return { one, ask, ...made }
}

test('a request without a key, or with a wrong one, gets 401', async () => {
  const { ask, one } = await guarded([])
  expect([await ask(null), await ask('wrong-secret'), await ask('operator-secre')]).toEqual([
    401, 401, 401,
  ])
  expect(one.stats().started).toBe(0)
})

test('a key that is limited to models gets 403 for others', async () => {
  const { ask } = await guarded([{ name: 'app', key: 'app-secret', models: ['a'] }])
  expect([await ask('app-secret'), await ask('app-secret', { model: 'b' })]).toEqual([200, 403])
})

test('a key runs as many requests at a time as it may, and no more', async () => {
  const key = { name: 'narrow', key: 'narrow-secret', maxParallel: 2 }
  const { ask } = await guarded([key], ['slow-first-token:100ms'])
  const statuses = await Promise.all(Array.from({ length: 5 }, () => ask('narrow-secret')))
  expect(statuses.toSorted()).toEqual([200, 200, 429, 429, 429])
  expect(await ask('narrow-secret')).toBe(200)
})

test('line 45: of twenty requests at once a key gets the three a minute that it may send', async () => {
  const { ask, one } = await guarded([{ name: 'app', key: 'app-secret', rpm: 3 }])
  const statuses = await Promise.all(Array.from({ length: 20 }, () => ask('app-secret')))
  expect(statuses.filter((status) => status === 200)).toHaveLength(3)
  expect(statuses.filter((status) => status === 429)).toHaveLength(17)
  expect(one.stats().started).toBe(3)
})

test('line 45: of twenty requests at once a key gets those that its tokens a minute allow', async () => {
  const key = { name: 'tokens', key: 'tokens-secret', tpm: 100 }
  const { ask } = await guarded([key], ['hang'])
  // Each reserves about 20 tokens of prompt and 10 of answer while it runs; none of them ends.
  const statuses: number[] = []
  for (let count = 0; count < 20; count++) {
    void ask('tokens-secret', { max_tokens: 10 }).then(
      (status) => statuses.push(status),
      () => {},
    )
  }
  await untilTrue('seventeen are refused', () => statuses.length >= 17)
  expect(statuses).toEqual(Array.from({ length: 17 }, () => 429))
})

test('where there are keys, an operator reads the stats and a stranger does not', async () => {
  const { url } = await guarded([])
  const stats = (key: string) =>
    fetch(`${url}/stats`, { headers: { authorization: `Basic ${btoa(`any:${key}`)}` } })
  expect((await fetch(`${url}/stats`)).status).toBe(401)
  expect((await stats('wrong-secret')).status).toBe(401)
  expect((await stats('operator-secret')).status).toBe(200)
})

test('where there are keys, health is open to all', async () => {
  const { url } = await guarded([])
  expect((await fetch(`${url}/health/live`)).status).toBe(200)
  expect((await fetch(`${url}/health`)).status).toBe(200)
})

test('a gateway is not started beyond loopback without keys', () => {
  const parsed = motleyConfig.safeParse({ gateway: { listen: '0.0.0.0:0' } })
  expect(parsed.error?.issues[0]?.message).toContain('gateway.keys')
})

test('a name that is longer than any model is refused, and not kept', async () => {
  const { url } = await oneEngine()
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'm'.repeat(100_000), messages: [] }),
  })
  expect(response.status).toBe(400)
  const text = await response.text()
  expect(text).toContain('has 100000 characters, and may have 200')
  expect(text.length).toBeLessThan(500)
})

test('a port that is taken is the error of the system', async () => {
  const { url } = await oneEngine()
  const config = motleyConfig.parse({ gateway: { listen: new URL(url).host, accessLog: 'off' } })
  await expect(startGateway({ config, log: () => {}, version: 'test' })).rejects.toThrow(
    /EADDRINUSE/,
  )
})
