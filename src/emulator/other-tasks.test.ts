import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Emulator, startEmulator } from '#emulator/emulator.ts'
import { ManualClock } from '#emulator/manual-clock.ts'
import { fieldsField, isFields, listField, numberField } from '#emulator/request-fields.ts'

const model = 'bge-m3'
let vllm: Emulator
let openai: Emulator

beforeAll(async () => {
  vllm = await startEmulator({ engine: 'vllm', models: [model], speed: 0 })
  openai = await startEmulator({ engine: 'openai', models: [model], speed: 0, tasks: ['rerank'] })
})

afterAll(async () => {
  await Promise.all([vllm.close(), openai.close()])
})

async function ask(emulator: Emulator, path: string, body: unknown): Promise<unknown> {
  const response = await fetch(emulator.url + path, { method: 'POST', body: JSON.stringify(body) })
  return response.json()
}

function vectorOf(answer: unknown): unknown {
  const [first] = isFields(answer) ? listField(answer, 'data') : []
  return isFields(first) ? first['embedding'] : null
}

test('embeddings are unit vectors, the same for the same text', async () => {
  const answer = await ask(vllm, '/v1/embeddings', { model, input: ['a fox', 'a fox', 'a hare'] })
  expect(answer).toMatchObject({
    object: 'list',
    data: [{ index: 0 }, { index: 1 }, { index: 2 }],
    usage: { prompt_tokens: 6 },
  })
  const [first, second, third] = isFields(answer)
    ? listField(answer, 'data').map((one) => (isFields(one) ? listField(one, 'embedding') : []))
    : []
  expect(first).toHaveLength(1024)
  expect(first).toEqual(second)
  expect(first).not.toEqual(third)
  const squares = (first ?? []).map((value) => Number(value) ** 2)
  expect(squares.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 4)
})

test('embeddings come in the size and the encoding asked for', async () => {
  const body = { model, input: 'a fox', dimensions: 8 }
  const plain = vectorOf(await ask(vllm, '/v1/embeddings', body))
  const encoded = vectorOf(
    await ask(vllm, '/v1/embeddings', { ...body, encoding_format: 'base64' }),
  )
  const bytes = Buffer.from(String(encoded), 'base64')
  const decoded = Array.from({ length: 8 }, (_, index) => bytes.readFloatLE(index * 4))
  expect(plain).toHaveLength(8)
  expect(decoded[0]).toBeCloseTo(Number(Array.isArray(plain) ? plain[0] : Number.NaN), 6)
})

test.each([0, -1, 1.5, 1e9])('embeddings of %d dimensions are refused', async (dimensions) => {
  expect(await ask(vllm, '/v1/embeddings', { model, input: 'a fox', dimensions })).toMatchObject({
    error: { message: 'dimensions must be a whole number from 1 to 8192.' },
  })
})

test.each(['/rerank', '/v1/rerank', '/v2/rerank'])(
  '%s sorts documents, best first',
  async (path) => {
    const answer = await ask(vllm, path, {
      model,
      query: 'a red fox',
      documents: ['stone bridge', 'the red fox', 'a hare'],
      top_n: 2,
    })
    expect(answer).toMatchObject({
      results: [
        { index: 1, document: { text: 'the red fox' }, relevance_score: expect.any(Number) },
        { index: 2 },
      ],
    })
  },
)

test('a forced rerank speaks plainly on a server of the OpenAI API', async () => {
  const body = { model, query: 'fox', documents: ['fox', 'hare'], return_documents: false }
  expect(await ask(openai, '/v1/rerank', body)).toMatchObject({
    results: [{ index: 0, relevance_score: expect.any(Number) }, { index: 1 }],
  })
})

test('score compares one text with many', async () => {
  const answer = await ask(vllm, '/v1/score', { model, text_1: 'a fox', text_2: ['a fox', 'rain'] })
  const [same, other] = isFields(answer)
    ? listField(answer, 'data').map((one) => (isFields(one) ? numberField(one, 'score') : null))
    : []
  expect(same).toBeGreaterThan(other ?? 1)
})

test('tokenize counts as the emulator does', async () => {
  const answer = await ask(vllm, '/tokenize', { model, prompt: 'one two three' })
  expect(answer).toMatchObject({ count: 3, max_model_len: 32_768, tokens: { length: 3 } })
  const chat = { model, messages: [{ role: 'user', content: 'one two' }] }
  expect(await ask(vllm, '/tokenize', chat)).toMatchObject({ count: 6 })
})

function recording(bytes: number, fields: Record<string, string> = {}): FormData {
  const form = new FormData()
  form.set('file', new Blob([Buffer.alloc(bytes, '\r\n--')]), 'talk.wav')
  // The model comes after the file on purpose: clients do that too.
  form.set('model', model)
  for (const [name, value] of Object.entries(fields)) form.set(name, value)
  return form
}

async function hear(emulator: Emulator, form: FormData, path = '/v1/audio/transcriptions') {
  const response = await fetch(emulator.url + path, { method: 'POST', body: form })
  return { status: response.status, text: await response.text() }
}

test('a transcription tells the size and the language of what it was given', async () => {
  const said = 'A recording of 64000 bytes named talk.wav, spoken in de.'
  const json = await hear(vllm, recording(64_000, { language: 'de' }))
  expect(JSON.parse(json.text)).toMatchObject({ text: said, usage: { seconds: 2 } })
  const text = await hear(vllm, recording(64_000, { language: 'de', response_format: 'text' }))
  expect(text.text).toBe(`${said}\n`)
  const srt = await hear(vllm, recording(64_000, { language: 'de', response_format: 'srt' }))
  expect(srt.text).toContain('00:00:00,000 --> 00:00:02,000')
  const translation = await hear(vllm, recording(10), '/v1/audio/translations')
  expect(translation.text).toContain('translated to en')
  expect((await hear(vllm, new FormData())).status).toBe(400)
})

test('a transcription streams in the manner of its server', async () => {
  const form = (): FormData => recording(64_000, { stream: 'true' })
  const chunks = await hear(vllm, form())
  expect(chunks.text).toContain('"object":"transcription.chunk"')
  expect(chunks.text.endsWith('data: [DONE]\n\n')).toBe(true)
  const named = await hear(openai, form())
  expect(named.text).toContain('"type":"transcript.text.delta"')
  expect(named.text).toMatch(/transcript\.text\.done.*64000 bytes/)
})

test('speech is a WAV as long as the text takes to say', async () => {
  const input = 'x'.repeat(150)
  const response = await fetch(`${openai.url}/v1/audio/speech`, {
    method: 'POST',
    body: JSON.stringify({ model, input, voice: 'any' }),
  })
  const bytes = Buffer.from(await response.arrayBuffer())
  expect(response.headers.get('content-type')).toBe('audio/wav')
  expect(bytes.toString('latin1', 0, 4)).toBe('RIFF')
  expect(bytes.readUInt32LE(4)).toBe(bytes.length - 8)
  // 150 characters at 15 a second, 24,000 samples a second, 2 bytes each.
  expect(bytes.length).toBe(44 + 10 * 24_000 * 2)
})

test('an image is a PNG in base64', async () => {
  const answer = await ask(openai, '/v1/images/generations', { model, prompt: 'A fox.', n: 2 })
  const images = isFields(answer) ? listField(answer, 'data') : []
  expect(images).toHaveLength(2)
  const [first] = images
  const png = Buffer.from(String(isFields(first) ? first['b64_json'] : ''), 'base64')
  expect(png.subarray(1, 4).toString()).toBe('PNG')
  expect(fieldsField({ first }, 'first')).not.toBeNull()
})

test('a recording is heard to its end although nobody waits for it', async () => {
  const clock = new ManualClock()
  const emulator = await startEmulator({ engine: 'vllm', models: [model], slots: 1, clock })
  const leave = new AbortController()
  const answer = fetch(`${emulator.url}/v1/audio/transcriptions`, {
    method: 'POST',
    body: recording(64_000),
    signal: leave.signal,
  }).catch(() => 'gone')
  await expect.poll(() => emulator.stats().running).toBe(1)
  leave.abort()
  expect(await answer).toBe('gone')
  await expect.poll(() => emulator.stats().aborted).toBe(1)
  expect(emulator.stats()).toMatchObject({ running: 1, inFlight: 0 })
  clock.advance(60_000)
  expect(emulator.stats().running).toBe(0)
  await emulator.close()
})
