import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { EmbeddedEngine } from '#embedded/embedded-engine.ts'
import { generate } from '#embedded/generation.ts'
import { readGenerationParameters } from '#embedded/generation-parameters.ts'
import { PrefillPace } from '#embedded/prefill-pace.ts'
import { textTokens } from '#embedded/prompt-input.ts'
import { type EmbeddedServer, startEmbeddedServer } from '#embedded/server.ts'

const modelPath = 'models/motley-tiny.gguf'
let server: EmbeddedServer
let engine: EmbeddedEngine
let whileLoading: readonly Response[] = []
beforeAll(async () => {
  server = await startEmbeddedServer({ modelPath, modelName: 'tiny/chat', slots: 2 })
  whileLoading = await Promise.all(
    ['/health', '/v1/models', '/nowhere'].map((path) => fetch(server.url + path)),
  )
  engine = await server.ready
})
afterAll(() => server.close())

function post(path: string, body: unknown): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return fetch(server.url + path, { method: 'POST', body: text })
}

async function json(response: Response | Promise<Response>): Promise<Record<string, unknown>> {
  return (await (await response).json()) as Record<string, unknown>
}

interface CompletionAnswer {
  readonly choices: readonly {
    readonly text: string
    readonly finish_reason: string
    readonly logprobs: Readonly<Record<string, readonly unknown[]>> | null
  }[]
  readonly usage: Readonly<Record<string, unknown>>
}

async function complete(body: Readonly<Record<string, unknown>>): Promise<CompletionAnswer> {
  const response = await post('/v1/completions', { temperature: 0, ...body })
  expect(response.status).toBe(200)
  return (await response.json()) as CompletionAnswer
}

async function metric(name: string): Promise<number> {
  const page = await (await fetch(`${server.url}/metrics`)).text()
  return Number(new RegExp(`^motley_embedded_${name} (.*)$`, 'm').exec(page)?.[1])
}

/** Waits until a metric has a value; the test's own limit is the limit. */
async function until(name: string, value: number): Promise<void> {
  while ((await metric(name)) !== value) await new Promise(setImmediate)
}

const chatPrompt = (question: string): string =>
  `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n`
const longQuestion = chatPrompt('Explain how a request travels through Motley')

/** A completion whose client can leave. */
function leavable(body: Readonly<Record<string, unknown>>): {
  readonly begun: Promise<void>
  readonly leave: () => void
} {
  const text = JSON.stringify({ temperature: 0, ...body })
  const client = request(`${server.url}/v1/completions`, { method: 'POST' })
  client.on('error', () => {}) // it is our own leaving
  const begun = new Promise<void>((resolve) => {
    client.on('response', (response) => {
      response.on('error', () => {})
      response.once('data', () => resolve())
    })
  })
  client.end(text)
  return { begun, leave: () => client.destroy() }
}

test('every route answers 503 while the model loads, as llama-server does', async () => {
  for (const response of whileLoading) {
    expect(response.status).toBe(503)
    expect(await response.json()).toEqual({
      error: { message: 'Loading model', type: 'unavailable_error', code: 503 },
    })
  }
})

test('a client that leaves in the middle of an answer frees the slot', async () => {
  const aborted = await metric('requests_aborted_total')
  const client = leavable({ prompt: longQuestion, stream: true, temperature: 0 })
  await client.begun
  client.leave()
  await until('requests_aborted_total', aborted + 1)
  await until('requests_processing', 0)
})

test('a client that leaves before a whole answer is sent frees the slot', async () => {
  const aborted = await metric('requests_aborted_total')
  const client = leavable({ prompt: longQuestion })
  await until('requests_processing', 1)
  while ((await metric('kv_cache_usage_ratio')) === 0) await new Promise(setImmediate)
  client.leave()
  await until('requests_aborted_total', aborted + 1)
  await until('requests_processing', 0)
  // Its prompt is still cached, and in nobody's way.
  expect(await metric('kv_cache_usage_ratio')).toBe(0)
})

test('a client that leaves the queue is forgotten, and those before it are answered', async () => {
  const expected = await complete({ prompt: longQuestion })
  const answers = [complete({ prompt: longQuestion }), complete({ prompt: longQuestion })]
  await until('requests_processing', 2)
  const client = leavable({ prompt: longQuestion })
  await until('requests_deferred', 1)
  client.leave()
  await until('requests_deferred', 0)
  for (const answer of await Promise.all(answers)) {
    expect(answer.choices).toEqual(expected.choices)
  }
  expect(await metric('requests_processing')).toBe(0)
})

test('a failure in mid-stream is an error event, and the stream ends without [DONE]', async () => {
  const { model } = engine.loaded
  const { detokenize } = model
  let calls = 0
  const spy = vi.spyOn(model, 'detokenize').mockImplementation((tokens, special, before) => {
    if (++calls > 5) throw new Error('the vocabulary is on fire')
    return detokenize(tokens, special, before)
  })
  const response = await post('/v1/completions', {
    prompt: longQuestion,
    stream: true,
    temperature: 0,
  })
  const events = (await response.text()).trimEnd().split('\n\n')
  spy.mockRestore()
  expect(response.status).toBe(200)
  expect(events).toHaveLength(6)
  expect(JSON.parse(events[5]?.slice(6) ?? '')).toMatchObject({
    error: { type: 'server_error', message: 'The engine failed: the vocabulary is on fire' },
  })
  expect(await metric('requests_processing')).toBe(0)
  const [choice] = (await complete({ prompt: chatPrompt('ping') })).choices
  expect(choice?.text).toBe('pong')
})

test('more requests than slots wait, and all are answered', async () => {
  const answers = await Promise.all(
    Array.from({ length: 6 }, () => complete({ prompt: chatPrompt('ping') })),
  )
  expect(answers.map(({ choices: [choice] }) => choice?.text)).toEqual(Array(6).fill('pong'))
})

test('a request that is aborted while its prompt is read stops there', async () => {
  const leaving = new AbortController()
  class LeavingPace extends PrefillPace {
    override record(): void {
      leaving.abort(new Error('gone'))
    }
  }
  const prompt = textTokens(engine, 'A long prompt. '.repeat(100))
  const parameters = readGenerationParameters({}, 'completion')
  const computed = await metric('prompt_tokens_total')
  const events = generate(
    { ...engine, prefillPace: new LeavingPace(64) },
    prompt,
    parameters,
    leaving.signal,
  )
  await expect(events.next()).rejects.toThrow('gone')
  expect(engine.slots.busyCount).toBe(0)
  expect(await metric('prompt_tokens_total')).toBe(computed)
})

test('a long prompt is read in steps and answered as if read at once', async () => {
  const prompt = 'The quick brown fox jumps over the lazy dog. '.repeat(25) + longQuestion
  const steps = await complete({ prompt, max_tokens: 20 })
  for (const { sequence } of engine.slots.slots) await sequence.clearHistory()
  expect(textTokens(engine, prompt).length).toBeGreaterThan(64)
  expect((await complete({ prompt, max_tokens: 20 })).choices).toEqual(steps.choices)
})

test('a prompt that just fits gets one token, and one token more is too long', async () => {
  const tokens = Array.from({ length: 1024 }, (_, index) => (index % 20) + 100)
  const { choices, usage } = await complete({ prompt: tokens.slice(1), max_tokens: 9 })
  expect(choices[0]?.finish_reason).toBe('length')
  expect(usage).toMatchObject({ prompt_tokens: 1023, completion_tokens: 1 })
  const response = await post('/v1/completions', { prompt: tokens })
  expect((await json(response))['error']).toMatchObject({ code: 'context_length_exceeded' })
})

test('text that cannot fit is refused before it is tokenised', async () => {
  const response = await post('/v1/completions', { prompt: 'word '.repeat(1_000_000) })
  expect(response.status).toBe(400)
  expect((await json(response))['error']).toMatchObject({ code: 'context_length_exceeded' })
})

test('a body that nests without end is refused', async () => {
  const deep = `{"messages":${'['.repeat(20_000)}${']'.repeat(20_000)}}`
  const response = await post('/v1/chat/completions', deep)
  expect(response.status).toBe(400)
  expect((await json(response))['error']).toMatchObject({ code: 'invalid_json' })
})

test('an answer ends where the context does', async () => {
  const prompt = textTokens(engine, 'Hello. '.repeat(400)).slice(0, 1000)
  // A text that may not end before the context does.
  const format = {
    type: 'json_schema',
    json_schema: { schema: { type: 'string', minLength: 400 } },
  }
  const { choices, usage } = await complete({ prompt, response_format: format })
  expect(choices[0]?.finish_reason).toBe('length')
  expect(usage).toMatchObject({ prompt_tokens: 1000, completion_tokens: 24, total_tokens: 1024 })
})

test('a completion takes a text, tokens, or several of either', async () => {
  const prompt = chatPrompt('ping')
  const tokens = textTokens(engine, prompt)
  const texts = async (given: unknown): Promise<readonly string[]> =>
    (await complete({ prompt: given })).choices.map(({ text }) => text)
  expect(await texts(prompt)).toEqual(['pong'])
  expect(await texts(tokens)).toEqual(['pong'])
  expect(await texts([prompt, chatPrompt('Say banana')])).toEqual(['pong', 'banana'])
  expect(await texts([tokens, tokens])).toEqual(['pong', 'pong'])
})

test('a streamed completion has text chunks, and the usage last', async () => {
  const response = await post('/v1/completions', {
    prompt: chatPrompt('ping'),
    temperature: 0,
    stream: true,
    stream_options: { include_usage: true },
  })
  const events = (await response.text()).trimEnd().split('\n\n')
  const chunks = events.slice(0, -1).map((event) => JSON.parse(event.slice(6)))
  expect(chunks.map(({ choices: [choice] }) => choice?.text)).toEqual(['p', 'ong', '', undefined])
  expect(chunks.at(-2).choices[0].finish_reason).toBe('stop')
  expect(chunks.at(-1).usage).toMatchObject({ prompt_tokens: 14, completion_tokens: 2 })
  expect(chunks[0].object).toBe('text_completion')
  expect(events.at(-1)).toBe('data: [DONE]')
})

test('a completion gives logprobs in parallel lists', async () => {
  const { choices } = await complete({ prompt: chatPrompt('ping'), logprobs: 2 })
  const logprobs = choices[0]?.logprobs
  expect(logprobs?.['tokens']).toEqual(['p', 'ong'])
  expect(logprobs?.['text_offset']).toEqual([0, 1])
  expect(Object.keys(logprobs?.['top_logprobs']?.[0] as object)).toHaveLength(2)
  expect(logprobs?.['token_logprobs']?.[0]).toBeLessThanOrEqual(0)
})

test('embeddings are unit vectors, as numbers or as base64', async () => {
  const numbers = await json(post('/v1/embeddings', { input: ['one', 'two'] }))
  const vectors = (numbers['data'] as { readonly embedding: readonly number[] }[]).map(
    ({ embedding }) => embedding,
  )
  expect(vectors.map((vector) => vector.length)).toEqual([192, 192])
  expect(Math.hypot(...(vectors[0] ?? []))).toBeCloseTo(1, 5)
  expect(vectors[0]).not.toEqual(vectors[1])
  expect(numbers['usage']).toEqual({ prompt_tokens: 4, total_tokens: 4 })

  const body = { input: textTokens(engine, 'one'), encoding_format: 'base64', dimensions: 192 }
  const packed = await json(post('/v1/embeddings', body))
  const [{ embedding }] = packed['data'] as [{ readonly embedding: string }]
  const bytes = Buffer.from(embedding, 'base64')
  expect(bytes.length).toBe(192 * 4)
  expect(bytes.readFloatLE(0)).toBeCloseTo(vectors[0]?.[0] ?? 0, 5)
})

test.each([
  { path: '/v1/embeddings', body: { input: 'a', dimensions: 64 }, param: 'dimensions' },
  {
    path: '/v1/embeddings',
    body: { input: 'a', encoding_format: 'hex' },
    param: 'encoding_format',
  },
  { path: '/v1/embeddings', body: {}, param: 'input' },
  { path: '/v1/embeddings', body: { input: [[1, 99_999]] }, param: 'input' },
  { path: '/v1/completions', body: {}, param: 'prompt' },
  { path: '/v1/completions', body: { prompt: [] }, param: 'prompt' },
  { path: '/v1/completions', body: { prompt: '' }, param: 'prompt' },
  { path: '/v1/completions', body: { prompt: [1, -1] }, param: 'prompt' },
  { path: '/v1/completions', body: { prompt: ['a', 'b'], stream: true }, param: 'prompt' },
  { path: '/v1/completions', body: { prompt: 'a', echo: true }, param: 'echo' },
  { path: '/v1/completions', body: { prompt: 'a', suffix: 'b' }, param: 'suffix' },
  { path: '/v1/completions', body: { prompt: 'a', best_of: 2 }, param: 'best_of' },
  { path: '/v1/completions', body: { prompt: 'a', logprobs: 21 }, param: 'logprobs' },
  { path: '/tokenize', body: {}, param: 'prompt' },
  { path: '/detokenize', body: { tokens: ['a'] }, param: 'tokens' },
])('$path with $body is a 400 that names $param', async ({ path, body, param }) => {
  const response = await post(path, body)
  expect(response.status).toBe(400)
  expect((await json(response))['error']).toMatchObject({ param })
})

test('tokenize counts a text or a conversation, and detokenize gives it back', async () => {
  const text = chatPrompt('ping')
  const ofText = await json(post('/tokenize', { prompt: text, return_token_strs: true }))
  const ofContent = await json(post('/tokenize', { content: text }))
  const ofChat = await json(post('/tokenize', { messages: [{ role: 'user', content: 'ping' }] }))
  expect(ofText['count']).toBe(14)
  expect(ofText['max_model_len']).toBe(1024)
  expect((ofText['token_strs'] as string[]).join('')).toBe(text)
  expect(ofContent['tokens']).toEqual(ofText['tokens'])
  expect(ofChat['tokens']).toEqual(ofText['tokens'])
  const back = await json(post('/detokenize', { tokens: ofText['tokens'] }))
  expect(back['prompt']).toBe(text)
})

test('models, health, version and slots tell about the engine', async () => {
  const get = (path: string): Promise<Record<string, unknown>> => json(fetch(server.url + path))
  const entry = {
    id: 'tiny/chat',
    object: 'model',
    owned_by: 'motley',
    max_model_len: 1024,
    meta: { n_ctx_train: 1024, n_vocab: 1024, n_embd: 192, n_params: 2_164_800, size: 2_306_304 },
  }
  expect(await get('/v1/models')).toMatchObject({ object: 'list', data: [entry] })
  expect(await get('/v1/models/tiny%2Fchat')).toMatchObject(entry)
  expect(await get('/health')).toEqual({ status: 'ok' })
  expect(await get('/version')).toMatchObject({ engine: 'motley-embedded', gpu: null })
  expect(await get('/slots?x=1')).toMatchObject([
    { id: 0, n_ctx: 1024, is_processing: false },
    { id: 1, n_ctx: 1024, is_processing: false },
  ])
  expect(await metric('slots_total')).toBe(2)
  expect(await metric('kv_cache_tokens')).toBe(2 * 1024)
  expect(await metric('generate_seconds_total')).toBeGreaterThan(0)
})

test('what is not there, or not so, is said in JSON', async () => {
  const unknown = await fetch(`${server.url}/v2/things`)
  expect(unknown.status).toBe(404)
  expect((await json(unknown))['error']).toMatchObject({ code: 'not_found' })

  const method = await fetch(`${server.url}/v1/chat/completions`)
  expect(method.status).toBe(405)
  expect(method.headers.get('allow')).toBe('POST')

  const model = await post('/v1/completions', { model: 'gpt-4', prompt: 'a' })
  expect(model.status).toBe(404)
  expect((await json(model))['error']).toMatchObject({
    code: 'model_not_found',
    message: 'The model "gpt-4" is not served here; this engine serves "tiny/chat".',
  })
  expect((await fetch(`${server.url}/v1/models/other`)).status).toBe(404)

  for (const body of ['{', '[1]']) {
    const response = await post('/v1/completions', body)
    expect(response.status).toBe(400)
    expect((await json(response))['error']).toMatchObject({ code: 'invalid_json' })
  }
  const large = await post('/v1/completions', ' '.repeat(17 * 1024 * 1024))
  expect(large.status).toBe(413)
})

test('a failed model is named by `ready` and by every later answer', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'motley-embedded-'))
  try {
    const cut = join(folder, 'cut.gguf')
    await writeFile(cut, (await readFile(modelPath)).subarray(0, 100_000))
    const broken = await startEmbeddedServer({ modelPath: cut })
    await expect(broken.ready).rejects.toThrow(
      /cut\.gguf cannot be loaded \(.*\); .* download it again/,
    )
    const response = await fetch(`${broken.url}/health`)
    expect(response.status).toBe(503)
    expect(await response.text()).toContain('cannot be loaded')
    await broken.close()

    const missing = await startEmbeddedServer({ modelPath: join(folder, 'none.gguf') })
    await expect(missing.ready).rejects.toThrow(/none\.gguf does not exist/)
    await missing.close()
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('with an API key only /health is open', async () => {
  const guarded = await startEmbeddedServer({ modelPath, slots: 1, apiKey: 'secret' })
  await guarded.ready
  const status = async (path: string, key?: string): Promise<number> => {
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
    return (await fetch(guarded.url + path, { headers })).status
  }
  expect(await status('/health')).toBe(200)
  expect(await status('/v1/models')).toBe(401)
  expect(await status('/v1/models', 'wrong')).toBe(401)
  expect(await status('/v1/models', 'secret')).toBe(200)
  await guarded.close()
})

test('a port that is taken is named', async () => {
  const port = Number(new URL(server.url).port)
  await expect(startEmbeddedServer({ modelPath, port })).rejects.toThrow(
    `The engine cannot listen on 127.0.0.1:${port}: the port is taken.`,
  )
})
