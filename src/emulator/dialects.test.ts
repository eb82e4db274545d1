import { afterEach, describe, expect, test } from 'vitest'
import { emulatedEngines } from '#emulator/emulated-engine.ts'
import { type Emulator, startEmulator } from '#emulator/emulator.ts'
import { ManualClock } from '#emulator/manual-clock.ts'
import type { EmulatorOptions } from '#emulator/options.ts'

let running: Emulator[] = []

afterEach(async () => {
  await Promise.all(running.map((emulator) => emulator.close()))
  running = []
})

async function start(options: EmulatorOptions): Promise<Emulator> {
  const emulator = await startEmulator({ speed: 0, ...options })
  running.push(emulator)
  return emulator
}

async function get(emulator: Emulator, path: string, headers: Record<string, string> = {}) {
  const response = await fetch(emulator.url + path, { headers })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: parse(text) }
}

async function post(emulator: Emulator, path: string, body: unknown) {
  const response = await fetch(emulator.url + path, { method: 'POST', body: JSON.stringify(body) })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: parse(text) }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

const model = 'llama-3.1-8b'
const hello = { model, messages: [{ role: 'user', content: 'Hello there.' }] }

describe.each(emulatedEngines)('%s', (engine) => {
  test('says on every answer that it is an emulator', async () => {
    const emulator = await start({ engine, device: 'h100-sxm' })
    for (const path of ['/v1/models', '/no-such-path', '/emulator']) {
      const { headers } = await get(emulator, path)
      expect(headers.get('x-motley-emulator')).toBe(`${engine}; device=h100-sxm`)
    }
    expect((await get(emulator, '/emulator')).json).toMatchObject({ emulator: true, engine })
  })

  test('lists its models and answers a chat about each', async () => {
    const emulator = await start({ engine, models: ['a', 'b'] })
    const { json } = await get(emulator, '/v1/models')
    const tag = engine === 'ollama' ? ':latest' : ''
    expect(json).toMatchObject({ data: [{ id: `a${tag}` }, { id: `b${tag}` }] })
    const answer = await post(emulator, '/v1/chat/completions', {
      ...hello,
      model: 'b',
      max_tokens: 4,
    })
    expect(answer.json).toMatchObject({
      object: 'chat.completion',
      model: 'b',
      choices: [{ index: 0, message: { role: 'assistant' }, finish_reason: 'length' }],
      usage: { prompt_tokens: 6, completion_tokens: 4, total_tokens: 10 },
    })
  })

  test('refuses what is no JSON', async () => {
    const emulator = await start({ engine })
    const response = await fetch(`${emulator.url}/v1/chat/completions`, {
      method: 'POST',
      body: '{"model":',
    })
    expect(response.status).toBe(400)
  })

  test('takes only its key, where the engine asks for one', async () => {
    const emulator = await start({ engine, apiKey: 'secret' })
    const without = await post(emulator, '/v1/chat/completions', hello)
    expect(without.status).toBe(engine === 'ollama' ? 200 : 401)
    const response = await fetch(`${emulator.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: 'Bearer secret' },
      body: JSON.stringify(hello),
    })
    expect(response.status).toBe(200)
    await response.text()
  })

  test('serves any further task that it is told to', async () => {
    const emulator = await start({ engine, tasks: ['image', 'speech'] })
    const { status } = await post(emulator, '/v1/images/generations', { model, prompt: 'A fox.' })
    expect(status).toBe(200)
  })
})

test.each([
  ['vllm', 404, { error: { type: 'NotFoundError', param: 'model', code: 404 } }],
  ['openai', 404, { error: { type: 'invalid_request_error', code: 'model_not_found' } }],
  ['ollama', 404, { error: { type: 'not_found_error', code: null } }],
] as const)('%s refuses a model it does not serve', async (engine, status, body) => {
  const answer = await post(await start({ engine }), '/v1/chat/completions', {
    ...hello,
    model: 'nope',
  })
  expect(answer.status).toBe(status)
  expect(answer.json).toMatchObject(body)
})

test.each(['llama-server', 'sglang'] as const)('%s answers by any name', async (engine) => {
  const answer = await post(await start({ engine }), '/v1/chat/completions', {
    ...hello,
    model: 'nope',
  })
  expect(answer.json).toMatchObject({ model: 'nope', object: 'chat.completion' })
})

test.each([
  ['vllm', { error: { type: 'BadRequestError', code: 400 } }],
  ['sglang', { object: 'error', type: 'BadRequestError', code: 400 }],
  [
    'llama-server',
    { error: { type: 'exceed_context_size_error', n_ctx: 100, n_prompt_tokens: 204 } },
  ],
  ['openai', { error: { code: 'context_length_exceeded' } }],
] as const)('%s refuses a prompt beyond its context in its own words', async (engine, body) => {
  const emulator = await start({ engine, contextTokens: 100 })
  const content = 'word '.repeat(200)
  const answer = await post(emulator, '/v1/chat/completions', {
    model,
    messages: [{ role: 'user', content }],
  })
  expect(answer.status).toBe(400)
  expect(answer.json).toMatchObject(body)
})

test('Ollama cuts a prompt that is too long', async () => {
  const emulator = await start({ engine: 'ollama', contextTokens: 100 })
  const answer = await post(emulator, '/v1/chat/completions', {
    model,
    messages: [{ role: 'user', content: 'word '.repeat(200) }],
  })
  expect(answer.json).toMatchObject({ usage: { prompt_tokens: 100 } })
})

test.each([
  ['vllm', '/no', 404, { error: { code: 404 } }],
  ['sglang', '/no', 404, { object: 'error', code: 404 }],
  ['llama-server', '/no', 404, { error: { type: 'not_found_error' } }],
  ['openai', '/no', 404, { error: { type: 'invalid_request_error' } }],
  ['ollama', '/no', 404, null],
] as const)('%s has no %s', async (engine, path, status, body) => {
  const answer = await get(await start({ engine }), path)
  expect(answer.status).toBe(status)
  if (body === null) expect(answer.text).toBe('404 page not found')
  else expect(answer.json).toMatchObject(body)
})

test('a wrong method is told which one is right', async () => {
  const answer = await get(await start({ engine: 'vllm' }), '/v1/chat/completions')
  expect(answer.status).toBe(405)
  expect(answer.headers.get('allow')).toBe('POST')
})

describe('while loading', () => {
  test('vLLM refuses connections and then is ready', async () => {
    const clock = new ManualClock()
    const emulator = await start({ engine: 'vllm', loadMs: 30_000, clock })
    await expect(fetch(`${emulator.url}/health`)).rejects.toThrow()
    clock.advance(30_000)
    await expect.poll(() => isReady(emulator)).toBe(true)
  })

  test('SGLang answers 503 with an empty body', async () => {
    const clock = new ManualClock()
    const emulator = await start({ engine: 'sglang', loadMs: 30_000, clock })
    expect(await get(emulator, '/health')).toMatchObject({ status: 503, text: '' })
    clock.advance(30_000)
    expect(await get(emulator, '/health')).toMatchObject({ status: 200, text: '' })
  })

  test('llama-server says "Loading model" on every route', async () => {
    const clock = new ManualClock()
    const emulator = await start({ engine: 'llama-server', loadMs: 30_000, clock })
    const loading = { error: { message: 'Loading model', type: 'unavailable_error', code: 503 } }
    for (const path of ['/health', '/v1/models', '/anything']) {
      expect(await get(emulator, path)).toMatchObject({ status: 503, json: loading })
    }
    expect(await post(emulator, '/v1/chat/completions', hello)).toMatchObject({ status: 503 })
    clock.advance(30_000)
    expect(await get(emulator, '/health')).toMatchObject({ status: 200, json: { status: 'ok' } })
  })

  test('Ollama is up at once, loads a model when asked and drops it when idle', async () => {
    const clock = new ManualClock()
    const emulator = await start({ engine: 'ollama', loadMs: 3000, clock })
    expect(await get(emulator, '/')).toMatchObject({ status: 200, text: 'Ollama is running' })
    expect(await get(emulator, '/api/ps')).toMatchObject({ json: { models: [] } })
    const answer = post(emulator, '/api/generate', { model, prompt: 'Hi.', stream: false })
    await expect.poll(() => emulator.stats().running).toBe(1)
    clock.advance(3000)
    expect(await answer).toMatchObject({
      json: { done: true, load_duration: 3_000_000_000, model },
    })
    expect(await get(emulator, '/api/ps')).toMatchObject({
      json: { models: [{ name: `${model}:latest` }] },
    })
    clock.advance(5 * 60_000)
    expect(await get(emulator, '/api/ps')).toMatchObject({ json: { models: [] } })
  })

  test('keep_alive prolongs the stay, and 0 ends it', async () => {
    const clock = new ManualClock()
    const emulator = await start({ engine: 'ollama', clock })
    await post(emulator, '/api/generate', { model, keep_alive: '1h' })
    clock.advance(30 * 60_000)
    expect(await get(emulator, '/api/ps')).toMatchObject({ json: { models: [{}] } })
    const unload = await post(emulator, '/api/generate', { model, keep_alive: 0 })
    expect(unload.json).toMatchObject({ done_reason: 'unload' })
    expect(await get(emulator, '/api/ps')).toMatchObject({ json: { models: [] } })
  })
})

async function isReady(emulator: Emulator): Promise<boolean> {
  try {
    const response = await fetch(`${emulator.url}/health`)
    await response.text()
    return response.ok
  } catch {
    return false
  }
}

describe('load pages', () => {
  /** Two running, one waiting, about half of 20 tokens written by each that runs. */
  async function busy(engine: EmulatorOptions['engine']) {
    const clock = new ManualClock()
    const emulator = await start({
      engine,
      clock,
      slots: 2,
      speed: 1,
      prefillTokensPerSecond: Number.POSITIVE_INFINITY,
      decodeTokensPerSecond: 10,
    })
    const body = JSON.stringify({ ...hello, max_tokens: 20, stream: true })
    const answers = [1, 2, 3].map(() =>
      fetch(`${emulator.url}/v1/chat/completions`, { method: 'POST', body }).then((answer) =>
        answer.text(),
      ),
    )
    await expect.poll(() => emulator.stats().inFlight).toBe(3)
    clock.advance(950)
    const finish = async (): Promise<void> => {
      clock.advance(10_000)
      await Promise.all(answers)
    }
    return { emulator, finish }
  }

  test('vLLM reports running, waiting and KV cache usage', async () => {
    const { emulator, finish } = await busy('vllm')
    const { text } = await get(emulator, '/metrics')
    const labels = `{engine="0",model_name="${model}"}`
    expect(text).toContain(`vllm:num_requests_running${labels} 2`)
    expect(text).toContain(`vllm:num_requests_waiting${labels} 1`)
    expect(text).toContain(`vllm:kv_cache_usage_perc${labels} ${(2 * 16) / 131_072}`)
    // The second joins when the first step of 100 ms is over, and has its first token at 200.
    expect(text).toContain(`vllm:generation_tokens_total${labels} ${10 + 8}`)
    expect(await get(emulator, '/load')).toMatchObject({ json: { server_load: 3 } })
    await finish()
    const after = await get(emulator, '/metrics')
    expect(after.text).toContain(`vllm:time_to_first_token_seconds_count${labels} 3`)
  })

  test.each([
    { engine: 'vllm', hits: /^vllm:prefix_cache_hits_total\{.*\} 32$/m },
    { engine: 'sglang', hits: /^sglang:cached_tokens_total\{.*\} 32$/m },
  ] as const)('$engine counts what its prefix cache spared', async ({ engine, hits }) => {
    const emulator = await start({ engine, speed: 0 })
    // 36 words, 4 tokens around them, and the second turn begins with all of the first.
    const question = { role: 'user', content: 'word '.repeat(36) }
    for (const messages of [[question], [question, { role: 'user', content: 'And then?' }]]) {
      await post(emulator, '/v1/chat/completions', { model, messages, max_tokens: 1 })
    }
    expect((await get(emulator, '/metrics')).text).toMatch(hits)
  })

  test('SGLang reports running, queued and token usage', async () => {
    const { emulator, finish } = await busy('sglang')
    const { text } = await get(emulator, '/metrics')
    expect(text).toMatch(/^sglang:num_running_reqs\{.*\} 2$/m)
    expect(text).toMatch(/^sglang:num_queue_reqs\{.*\} 1$/m)
    // Of the second the prompt is read alone, at 100: six tokens each, and ten and nine steps.
    expect(text).toMatch(/^sglang:num_used_tokens\{.*\} 31$/m)
    expect(text).toMatch(/^sglang:gen_throughput\{.*\} 20$/m)
    expect(await get(emulator, '/get_load')).toMatchObject({ json: [{ num_waiting_reqs: 1 }] })
    expect(await get(emulator, '/get_server_info')).toMatchObject({
      json: { max_running_requests: 2 },
    })
    await finish()
  })

  test('llama-server reports processing, deferred and its slots', async () => {
    const { emulator, finish } = await busy('llama-server')
    const { text } = await get(emulator, '/metrics')
    expect(text).toContain('llamacpp:requests_processing 2')
    expect(text).toContain('llamacpp:requests_deferred 1')
    expect(await get(emulator, '/slots')).toMatchObject({
      json: [{ is_processing: true }, { is_processing: true }],
    })
    expect((await get(emulator, '/slots?fail_on_no_slot=1')).status).toBe(503)
    expect(await get(emulator, '/props')).toMatchObject({
      json: { total_slots: 2, default_generation_settings: { n_ctx: 32_768 } },
    })
    await finish()
    expect((await get(emulator, '/slots?fail_on_no_slot=1')).status).toBe(200)
  })
})

test('Ollama is busy when its queue is full', async () => {
  const clock = new ManualClock()
  const emulator = await start({ engine: 'ollama', clock, speed: 1 })
  const leave = new AbortController()
  const body = JSON.stringify(hello)
  const url = `${emulator.url}/v1/chat/completions`
  const waiting = Array.from({ length: 1 + 512 }, () =>
    fetch(url, { method: 'POST', body, signal: leave.signal }).catch(() => null),
  )
  await expect.poll(() => emulator.stats().waiting, { timeout: 30_000 }).toBe(512)
  const refused = await post(emulator, '/v1/chat/completions', hello)
  expect(refused).toMatchObject({
    status: 503,
    json: {
      error: {
        message: expect.stringContaining('server busy, please try again'),
        type: 'api_error',
      },
    },
  })
  expect(await post(emulator, '/api/chat', hello)).toMatchObject({
    status: 503,
    json: { error: expect.stringContaining('server busy') },
  })
  leave.abort()
  await Promise.all(waiting)
  await expect.poll(() => emulator.stats()).toMatchObject({ inFlight: 0, aborted: 513, running: 0 })
})

test('model pages hold what each engine tells', async () => {
  const [vllm, llama, ollama] = await Promise.all([
    start({ engine: 'vllm', contextTokens: 8192 }),
    start({ engine: 'llama-server' }),
    start({ engine: 'ollama', contextTokens: 8192 }),
  ])
  expect((await get(vllm, '/v1/models')).json).toMatchObject({
    data: [{ owned_by: 'vllm', max_model_len: 8192, root: model }],
  })
  expect((await get(vllm, '/version')).json).toMatchObject({ emulator: true })
  expect((await get(llama, '/v1/models')).json).toMatchObject({
    data: [{ owned_by: 'llamacpp', meta: { n_vocab: 128_256 } }],
  })
  expect((await get(ollama, '/api/tags')).json).toMatchObject({
    models: [{ name: `${model}:latest`, details: { format: 'gguf' } }],
  })
  expect((await post(ollama, '/api/show', { model })).json).toMatchObject({
    model_info: { 'llama.context_length': 8192 },
  })
  expect((await get(ollama, `/v1/models/${model}`)).json).toMatchObject({ owned_by: 'library' })
  expect((await get(ollama, '/v1/models/%E0')).status).toBe(404)
  expect((await get(ollama, '/api/version')).json).toMatchObject({ emulator: true })
})
