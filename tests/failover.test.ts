/** gateway-checklist.md, retry and failover: lines 20 to 25. */
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { afterTest } from './harness/after-test.ts'
import {
  chat,
  contentOf,
  endpointsOf,
  engine,
  fleet,
  post,
  question,
  readEvents,
} from './harness/fleet.ts'
import { heldBufferBytes } from './harness/held-memory.ts'
import { answerJson, scriptedEngine } from './harness/scripted-engine.ts'

/** Two endpoints of which `bad` is always tried first. */
async function badAndGood(faults: string[], config: Record<string, unknown> = {}) {
  const bad = await engine({ faults, contextTokens: 4_000_000 })
  const good = await engine({ contextTokens: 8_000_000 })
  const made = await fleet(
    {
      endpoints: [
        { ...endpointsOf({ bad })[0], weight: 100 },
        { ...endpointsOf({ good })[0], weight: 1 },
      ],
      ...config,
    },
    { settled: false },
  )
  await made.until('both were asked', (rows) =>
    rows.every(({ name, models, state }) =>
      name === 'bad' ? state !== 'loading' : state === 'ready' && models.length > 0,
    ),
  )
  return { bad, good, ...made }
}

test.each(['status:500', 'status:503', 'reset', '429:2s', 'loading', 'status:502'])(
  'line 21: a request that met %s before its first byte is answered by another endpoint',
  async (fault) => {
    const { url, good } = await badAndGood([fault])
    for (const stream of [false, true]) {
      const response = await chat(url, { stream })
      expect(response.status).toBe(200)
      expect(response.headers.get('x-motley-endpoint')).toBe('good')
      await response.text()
    }
    expect(good.stats().finished).toBe(2)
  },
)

test('line 20: attempts never exceed the configured number', async () => {
  const engines = await Promise.all(
    Array.from({ length: 6 }, () => engine({ faults: ['status:500'] })),
  )
  const { url } = await fleet({
    endpoints: endpointsOf(Object.fromEntries(engines.map((one, index) => [`e${index}`, one]))),
    gateway: { retries: { maxAttempts: 3 } },
  })
  const response = await chat(url)
  expect(response.status).toBe(502)
  expect(response.headers.get('x-motley-attempts')).toBe('3')
  expect(engines.reduce((sum, one) => sum + one.stats().started, 0)).toBe(3)
})

test('line 20: an empty retry budget leaves one attempt to each request', async () => {
  const one = await engine({ faults: ['status:500'] })
  const two = await engine({ faults: ['status:500'] })
  const { url } = await fleet({
    endpoints: endpointsOf({ one, two }),
    gateway: { retries: { budgetRatio: 0, minPerSecond: 0 } },
  })
  for (let count = 0; count < 4; count++) expect((await chat(url)).status).toBe(502)
  expect(one.stats().started + two.stats().started).toBe(4)
})

test.each([1, 5_000_000])('line 22: a body of %i bytes more fails over alike', async (length) => {
  const { url, good } = await badAndGood(['reset'], {
    gateway: { limits: { memoryBytes: 100_000 } },
  })
  const content = 'x'.repeat(length)
  const response = await chat(url, { messages: [{ role: 'user', content }] })
  expect(response.status).toBe(200)
  const sent = good.received().findLast(({ method }) => method === 'POST')
  expect(Number(sent?.headers['content-length'])).toBeGreaterThan(length)
})

test('line 22: an upload that fails over lies on disk, not in memory', async () => {
  const uploadBytes = 48 * 1024 * 1024
  let heldBytes = 0
  const resets = await scriptedEngine(({ request }) => request.socket.resetAndDestroy(), {
    keepsBodies: false,
  })
  const takes = await scriptedEngine(
    ({ response }) => {
      heldBytes = heldBufferBytes()
      answerJson(response, 200, { text: 'heard' })
    },
    { keepsBodies: false },
  )
  const { url } = await fleet({
    endpoints: [
      { ...endpointsOf({ resets })[0], weight: 100 },
      { ...endpointsOf({ takes })[0], weight: 1 },
    ],
    gateway: { limits: { memoryBytes: 100_000 } },
  })
  const piece = Buffer.alloc(64 * 1024, 'x')
  function* form() {
    yield `--B\r\ncontent-disposition: form-data; name="model"\r\n\r\n${question.model}`
    yield '\r\n--B\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    for (let sent = 0; sent < uploadBytes; sent += piece.length) yield piece
    yield '\r\n--B--\r\n'
  }
  const beforeBytes = heldBufferBytes()
  // Not fetch(): it keeps what it sent until the answer is there.
  const request = httpRequest(`${url}/v1/audio/transcriptions`, {
    method: 'POST',
    headers: { 'content-type': 'multipart/form-data; boundary=B' },
  })
  const answered = once(request, 'response')
  for (const part of form()) if (!request.write(part)) await once(request, 'drain')
  request.end()
  const [response] = (await answered) as [IncomingMessage]
  response.resume()
  expect([response.statusCode, response.headers['x-motley-endpoint']]).toEqual([200, 'takes'])
  expect(heldBytes - beforeBytes).toBeLessThan(uploadBytes / 4)
})

test('line 22: an upload that cannot be kept on disk costs its request and nothing else', async () => {
  const one = await engine()
  const { url } = await fleet({
    endpoints: endpointsOf({ one }),
    gateway: { limits: { memoryBytes: 1_000 } },
  })
  const folder = process.env['TMPDIR']
  afterTest(() => {
    if (folder === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = folder
  })
  process.env['TMPDIR'] = '/nonexistent-folder'
  // One of these ends the process of a gateway.
  const unhandled: unknown[] = []
  const note = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', note)
  afterTest(() => process.off('unhandledRejection', note))
  const content = 'x'.repeat(300_000)
  const response = await chat(url, { messages: [{ role: 'user', content }] })
  expect(response.status).toBe(503)
  const { error } = (await response.json()) as { error: { code: string; message: string } }
  expect(error.code).toBe('spool_failed')
  expect(error.message).toContain('/nonexistent-folder')
  expect((await chat(url)).status).toBe(200)
  expect(one.stats().started).toBe(1)
  expect(unhandled).toEqual([])
})

test('line 23: a single endpoint gets one more try after a 500 and after a reset', async () => {
  for (const fault of ['status:500@first', 'reset@first']) {
    const only = await engine({ faults: [fault] })
    const { url } = await fleet({ endpoints: endpointsOf({ only }) })
    const response = await chat(url)
    expect(response.status).toBe(200)
    expect(only.stats().started).toBe(2)
  }
})

test('line 23: a single endpoint that stays silent is not asked again', async () => {
  const only = await engine({ faults: ['hang'] })
  const { url } = await fleet({
    endpoints: endpointsOf({ only }),
    gateway: { timeouts: { firstByteMs: 150 } },
  })
  const response = await chat(url)
  expect(response.status).toBe(504)
  const { error } = (await response.json()) as { error: { code: string; message: string } }
  expect(error.code).toBe('engine_timeout')
  expect(error.message).toContain('only sent nothing within 150 ms')
  expect(only.stats().started).toBe(1)
})

test('line 23: the final error names every attempt', async () => {
  const one = await engine({ faults: ['status:500'] })
  const two = await engine({ faults: ['reset'] })
  const { url } = await fleet({ endpoints: endpointsOf({ one, two }) })
  const response = await chat(url)
  const { error } = (await response.json()) as { error: { message: string } }
  expect(error.message).toMatch(/2 attempts/)
  expect(error.message).toMatch(/one 500/)
  expect(error.message).toMatch(/two closed the connection/)
})

test.each([400, 404, 422])('line 24: %i is final and keeps its status', async (status) => {
  const { url, good, bad } = await badAndGood([`status:${status}`])
  const response = await chat(url)
  expect(response.status).toBe(status)
  expect(((await response.json()) as { error: { message: string } }).error.message).toBeTruthy()
  expect(bad.stats().started).toBe(1)
  expect(good.stats().started).toBe(0)
})

test('line 24: a prompt too long for one endpoint goes to one with a longer context', async () => {
  const { url } = await badAndGood(['context-length'])
  const response = await chat(url)
  expect(response.status).toBe(200)
  expect(response.headers.get('x-motley-endpoint')).toBe('good')
})

test.each(['429:30s', '429-date:30s'])(
  'line 24: %s rests that model there and nothing else',
  async (fault) => {
    const bad = await engine({ models: ['a', 'b'], faults: [`${fault}@model=a`] })
    const { url } = await fleet({ endpoints: endpointsOf({ bad }) })
    const first = await chat(url, { model: 'a' })
    expect(first.status).toBe(429)
    const second = await chat(url, { model: 'a' })
    expect(second.status).toBe(429)
    expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(bad.stats().started).toBe(1)
    expect((await chat(url, { model: 'b' })).status).toBe(200)
  },
)

test('line 25: a limit of the engine and one of the gateway have codes of their own', async () => {
  const limited = await engine({ faults: ['429:7s'] })
  const { url } = await fleet(
    {
      endpoints: endpointsOf({ limited }),
      gateway: { keys: [{ name: 'app', key: 'secret-key', rpm: 1, admin: true }] },
    },
    { adminKey: 'secret-key' },
  )
  const headers = { authorization: 'Bearer secret-key', 'content-type': 'application/json' }
  const codes: string[] = []
  for (let count = 0; count < 2; count++) {
    const response = await chat(url, {}, { headers })
    expect(response.status).toBe(429)
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
    codes.push(((await response.json()) as { error: { code: string } }).error.code)
  }
  expect(codes).toEqual(['engine_rate_limited', 'rate_limited'])
  expect(limited.stats().started).toBe(1)
})

test('line 25: errors speak the dialect of the API that was called', async () => {
  const { url } = await fleet({ endpoints: endpointsOf({ one: await engine() }) })
  const openai = await post(`${url}/v1/chat/completions`, { ...question, model: 'nope' })
  expect(await openai.json()).toMatchObject({ error: { code: 'model_not_found', param: 'model' } })
  const anthropic = await post(`${url}/v1/messages`, { ...question, model: 'nope' })
  expect(await anthropic.json()).toMatchObject({
    type: 'error',
    error: { type: 'not_found_error' },
  })
  const ollama = await post(`${url}/api/chat`, { ...question, model: 'nope' })
  expect(await ollama.json()).toEqual({ error: expect.stringContaining('nope') })
})

test.each([
  {
    path: '/v1/messages',
    shape: { type: 'error', error: { type: 'invalid_request_error', message: 'no such thing' } },
  },
  { path: '/api/chat', shape: { error: 'no such thing' } },
  {
    path: '/v1/chat/completions',
    shape: { error: { message: 'no such thing', type: 'BadRequestError' } },
  },
])("line 25: an engine's refusal is told in the words of $path", async ({ path, shape }) => {
  const refuses = await scriptedEngine(({ response }) =>
    answerJson(response, 400, { error: { message: 'no such thing', type: 'BadRequestError' } }),
  )
  const { url } = await fleet({ endpoints: endpointsOf({ refuses }) })
  const response = await post(url + path, question)
  expect([response.status, await response.json()]).toEqual([400, shape])
})

test('a fallback model answers when no endpoint of the model can, and says its own name', async () => {
  const main = await engine({ models: ['main'], faults: ['status:503'] })
  const spare = await engine({ models: ['spare'] })
  const { url } = await fleet({
    endpoints: endpointsOf({ main, spare }),
    models: { main: { fallback: ['spare'] } },
  })
  const response = await chat(url, { model: 'main', stream: true })
  expect(response.status).toBe(200)
  expect(response.headers.get('x-motley-model')).toBe('spare')
  const { events } = await readEvents(response)
  expect(JSON.parse(events[0] as string).model).toBe('spare')
  expect(contentOf(events)).not.toBe('')
})

test('a fallback and a request name a model with its tag before anybody has said what there is', async () => {
  const spare = await engine({ models: ['qwen:latest'] })
  const config = {
    endpoints: endpointsOf({ spare }),
    models: { 'of-nobody': { fallback: ['qwen:latest'] } },
  }
  for (const model of ['of-nobody', 'qwen:latest']) {
    const { url } = await fleet(config, { settled: false })
    expect((await chat(url, { model })).status).toBe(200)
  }
})

test('an alias and a longer name of the engine are changed on the way in and out', async () => {
  const one = await engine({ models: ['meta-llama/Llama-3.1-8B-Instruct'] })
  const { url } = await fleet({
    endpoints: [
      {
        ...endpointsOf({ one })[0],
        models: { 'llama-3.1-8b': 'meta-llama/Llama-3.1-8B-Instruct' },
      },
    ],
    models: { 'llama-3.1-8b': { aliases: ['gpt-4o-mini'] } },
  })
  const whole = (await (await chat(url, { model: 'gpt-4o-mini' })).json()) as { model: string }
  expect(whole.model).toBe('llama-3.1-8b')
  const { events } = await readEvents(await chat(url, { model: 'gpt-4o-mini', stream: true }))
  expect(events.slice(0, -1).every((event) => JSON.parse(event).model === 'llama-3.1-8b')).toBe(
    true,
  )
  const sent = one.received().findLast(({ path }) => path === '/v1/chat/completions')
  expect(JSON.parse(String(sent?.body)).model).toBe('meta-llama/Llama-3.1-8B-Instruct')
})
