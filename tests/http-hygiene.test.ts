/** gateway-checklist.md, HTTP hygiene, data and fairness: lines 34 to 49. */
import { connect } from 'node:net'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { motleyConfig } from '#core/config/document.ts'
import { startGateway } from '#gateway/gateway.ts'
import { chat, endpointsOf, engine, fleet, post, question } from './harness/fleet.ts'

/** Sends bytes and resolves with all that comes back until the other side closes. */
function raw(url: string, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let received = ''
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(bytes))
    socket.on('data', (chunk) => {
      received += chunk
    })
    socket.on('error', () => resolve(received))
    socket.on('close', () => resolve(received))
  })
}

async function oneEngine(config: Record<string, unknown> = {}) {
  const one = await engine()
  return { one, ...(await fleet({ endpoints: endpointsOf({ one }), ...config })) }
}

const body = JSON.stringify(question)

test('line 34: headers of one connection, and credentials, end at the gateway', async () => {
  const { one, url } = await oneEngine()
  const secret = 'Bearer client-secret'
  const answer = await raw(
    url,
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: ${secret}\r\ncookie: a=b\r\nx-api-key: k\r\nconnection: close, x-hop\r\nx-hop: 1\r\nte: trailers\r\nx-keep: yes\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  )
  expect(answer).toContain('200 OK')
  const sent = one.received().findLast(({ method }) => method === 'POST')?.headers ?? {}
  for (const name of ['authorization', 'cookie', 'x-api-key', 'x-hop', 'te']) {
    expect(sent[name]).toBeUndefined()
  }
  expect(sent['x-keep']).toBe('yes')
  expect(sent['host']).toBe(new URL(one.url).host)
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

test('line 39: headers that trickle in are cut off with a JSON 408', async () => {
  const { one, url } = await oneEngine()
  const huge = await raw(
    url,
    `GET /health HTTP/1.1\r\nhost: x\r\nx-a: ${'a'.repeat(40_000)}\r\n\r\n`,
  )
  expect(huge).toMatch(/^HTTP\/1\.1 431/)
  expect(huge).toContain('headers_too_large')
  expect(one.stats().started).toBe(0)
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

test('line 41: paths, methods and models that are not there are told apart', async () => {
  const { url } = await oneEngine()
  const status = async (path: string, init: RequestInit) => (await fetch(url + path, init)).status
  expect(await status('/v1/nothing', {})).toBe(404)
  expect(await status('/v1/models/%E0%A4%A', {})).toBe(404)
  expect(await status('/admin/v1/decisions/%', {})).toBe(404)
  const wrong = await fetch(`${url}/v1/chat/completions`, { method: 'PUT' })
  expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST, OPTIONS'])
  expect(await status('/health', { method: 'POST' })).toBe(405)
  expect(await status('/v1/models', { method: 'HEAD' })).toBe(200)
  expect((await chat(url, { model: 'nope' })).status).toBe(404)
  const preflight = await fetch(`${url}/v1/chat/completions`, {
    method: 'OPTIONS',
    headers: { origin: 'http://localhost:3000' },
  })
  expect(preflight.status).toBe(204)
  expect(preflight.headers.get('access-control-allow-origin')).toBe('http://localhost:3000')
  const foreign = await post(`${url}/v1/chat/completions`, question, {
    headers: { origin: 'https://evil.example' },
  })
  expect(foreign.status).toBe(403)
})

test('line 41: a known model whose endpoints are all down is a 503, not a 404', async () => {
  const one = await engine()
  const { url, until } = await fleet({ endpoints: endpointsOf({ one }) })
  await one.close()
  await until(([row]) => row?.state === 'failed')
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

test('line 49: a clock that jumps does not fire timeouts, since time only goes forward', async () => {
  const one = await engine({ faults: ['slow-first-token:200ms'] })
  const { url } = await fleet({
    endpoints: endpointsOf({ one }),
    gateway: { timeouts: { firstByteMs: 5_000 } },
  })
  const now = Date.now
  const pending = chat(url)
  Date.now = () => now() + 86_400_000
  try {
    expect((await pending).status).toBe(200)
  } finally {
    Date.now = now
  }
})

test('keys: wrong, missing, limited to models, to requests, tokens and parallel ones', async () => {
  const one = await engine({ models: ['a', 'b'], faults: ['slow-first-token:100ms'] })
  const keys = [
    { name: 'app', key: 'app-secret', models: ['a'], rpm: 3 },
    { name: 'narrow', key: 'narrow-secret', maxParallel: 1 },
    { name: 'tokens', key: 'tokens-secret', tpm: 100 },
    { name: 'operator', key: 'operator-secret', admin: true },
  ]
  const { url } = await fleet(
    { endpoints: endpointsOf({ one }, { models: ['a', 'b'] }), gateway: { keys } },
    { settled: false },
  )
  const ask = (key: string | null, extra: Record<string, unknown> = {}) =>
    chat(
      url,
      { model: 'a', ...extra },
      {
        headers: {
          'content-type': 'application/json',
          ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        },
      },
    )
  expect((await ask(null)).status).toBe(401)
  expect((await ask('wrong-secret')).status).toBe(401)
  expect((await ask('app-secret')).status).toBe(200)
  expect((await ask('app-secret', { model: 'b' })).status).toBe(403)
  const pair = await Promise.all([ask('narrow-secret'), ask('narrow-secret')])
  expect(pair.map(({ status }) => status).toSorted()).toEqual([200, 429])
  const burst = await Promise.all(Array.from({ length: 20 }, () => ask('app-secret')))
  expect(burst.filter(({ status }) => status === 200)).toHaveLength(2)
  const tokens = await Promise.all(
    Array.from({ length: 20 }, () => ask('tokens-secret', { max_tokens: 10 })),
  )
  expect(tokens.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(3)
  expect((await fetch(`${url}/stats`)).status).toBe(401)
  const stats = (key: string) =>
    fetch(`${url}/stats`, { headers: { authorization: `Basic ${btoa(`any:${key}`)}` } })
  expect((await stats('app-secret')).status).toBe(401)
  expect((await stats('operator-secret')).status).toBe(200)
  expect((await fetch(`${url}/health/live`)).status).toBe(200)
})

test('a gateway is not started beyond loopback without keys', () => {
  const parsed = motleyConfig.safeParse({ gateway: { listen: '0.0.0.0:0' } })
  expect(parsed.error?.issues[0]?.message).toContain('gateway.keys')
})

test('a port that is taken is the error of the system', async () => {
  const { url } = await oneEngine()
  const config = motleyConfig.parse({ gateway: { listen: new URL(url).host, accessLog: 'off' } })
  await expect(startGateway({ config, log: () => {}, version: 'test' })).rejects.toThrow(
    /EADDRINUSE/,
  )
})
