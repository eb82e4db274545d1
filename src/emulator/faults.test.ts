import { connect, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type Emulator, startEmulator } from '#emulator/emulator.ts'
import { ManualClock } from '#emulator/manual-clock.ts'
import type { EmulatorOptions } from '#emulator/options.ts'

let running: Emulator[] = []

afterEach(async () => {
  await Promise.all(running.map((emulator) => emulator.close()))
  running = []
})

async function start(
  faults: readonly string[],
  options: Partial<EmulatorOptions> = {},
): Promise<Emulator> {
  const emulator = await startEmulator({ engine: 'vllm', speed: 0, faults, ...options })
  running.push(emulator)
  return emulator
}

const model = 'llama-3.1-8b'
const messages = [{ role: 'user', content: 'Hello there.' }]
const streamed = { model, messages, max_tokens: 60, stream: true }
const whole = { model, messages, max_tokens: 60 }

/** One connection as its bytes, with how it ended; it is never reused unless a test does so. */
class Wire {
  readonly socket: Socket
  bytes = Buffer.alloc(0)
  ended: 'open' | 'fin' | 'reset' = 'open'

  constructor(emulator: Emulator) {
    this.socket = connect(emulator.port, '127.0.0.1')
    this.socket.on('data', (chunk) => {
      this.bytes = Buffer.concat([this.bytes, chunk])
    })
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET') this.ended = 'reset'
    })
    this.socket.on('end', () => {
      if (this.ended === 'open') this.ended = 'fin'
    })
  }

  post(body: unknown, path = '/v1/chat/completions'): this {
    const text = JSON.stringify(body)
    this.socket.write(
      `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
    )
    return this
  }

  get text(): string {
    return this.bytes.toString()
  }

  /** Waits until the connection is over, and says how. */
  async end(): Promise<'fin' | 'reset' | 'open'> {
    if (!this.socket.closed) await new Promise((resolve) => this.socket.once('close', resolve))
    return this.ended
  }

  async until(found: (text: string) => boolean): Promise<string> {
    await expect.poll(() => found(this.text), { timeout: 30_000, interval: 5 }).toBe(true)
    return this.text
  }
}

const count = (text: string, part: string): number => text.split(part).length - 1

/** The opening event says `"content":""`; the others carry words. */
const contentEvents = (text: string): number =>
  count(text, '"content":"') - count(text, '"content":""')

const isWhole = (text: string): boolean => text.endsWith('0\r\n\r\n')

async function post(emulator: Emulator, body: unknown, path = '/v1/chat/completions') {
  const response = await fetch(emulator.url + path, { method: 'POST', body: JSON.stringify(body) })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

test('reset is an RST before any byte', async () => {
  const emulator = await start(['reset'])
  const wire = new Wire(emulator).post(whole)
  expect(await wire.end()).toBe('reset')
  expect(wire.text).toBe('')
  expect(emulator.stats()).toMatchObject({ inFlight: 0, faulted: 1, finished: 0, aborted: 0 })
})

test('reset-after-headers is an RST after the status line and headers', async () => {
  const wire = new Wire(await start(['reset-after-headers'])).post(streamed)
  expect(await wire.end()).toBe('reset')
  expect(wire.text).toMatch(/^HTTP\/1\.1 200 OK\r\n(.+\r\n)+\r\n$/)
})

test('hang takes the request and never answers, until the client leaves', async () => {
  const emulator = await start(['hang'])
  const wire = new Wire(emulator).post(whole)
  await expect.poll(() => emulator.stats().inFlight).toBe(1)
  expect(wire.text).toBe('')
  wire.socket.destroy()
  await expect.poll(() => emulator.stats()).toMatchObject({ inFlight: 0, aborted: 1 })
})

test('slow-first-token holds back the first token and nothing else', async () => {
  const clock = new ManualClock()
  const emulator = await start(['slow-first-token:20s'], { clock })
  const wire = new Wire(emulator).post(streamed)
  await expect.poll(() => emulator.stats().running).toBe(1)
  clock.advance(19_999)
  // vLLM sends its headers when it accepts a request.
  await wire.until((text) => text.startsWith('HTTP/1.1 200'))
  expect(wire.text).not.toContain('data:')
  clock.advance(1)
  expect(contentEvents(await wire.until(isWhole))).toBe(60)
})

test('cut ends the connection with FIN after so many events, in the middle of the body', async () => {
  const wire = new Wire(await start(['cut:40'])).post(streamed)
  expect(await wire.end()).toBe('fin')
  expect(contentEvents(wire.text)).toBe(40)
  expect(isWhole(wire.text)).toBe(false)
  expect(wire.text).not.toContain('[DONE]')
})

test('cut:0 lets no piece of the answer pass', async () => {
  const wire = new Wire(await start(['cut:0'])).post(streamed)
  expect(await wire.end()).toBe('fin')
  expect(wire.text).toContain('"role":"assistant"')
  expect(contentEvents(wire.text)).toBe(0)
})

test('end-at ends the body properly although the answer is not whole', async () => {
  const wire = new Wire(await start(['end-at:40'])).post(streamed)
  const text = await wire.until(isWhole)
  expect(contentEvents(text)).toBe(40)
  expect(text).not.toContain('[DONE]')
})

test('reset-at is an RST after so many events', async () => {
  const wire = new Wire(await start(['reset-at:40'])).post(streamed)
  expect(await wire.end()).toBe('reset')
  expect(contentEvents(wire.text)).toBe(40)
})

test('stall pauses after so many events and then goes on', async () => {
  const clock = new ManualClock()
  const emulator = await start(['stall:40:30s'], { clock })
  const wire = new Wire(emulator).post(streamed)
  await wire.until((text) => contentEvents(text) === 40)
  clock.advance(29_999)
  expect(isWhole(wire.text)).toBe(false)
  clock.advance(1)
  const text = await wire.until(isWhole)
  expect(contentEvents(text)).toBe(60)
  expect(count(text, '[DONE]')).toBe(1)
})

test('garbage truncates the JSON of one event and no other', async () => {
  const { text } = await post(await start(['garbage:10']), streamed)
  const broken = text
    .split('\n\n')
    .filter((frame) => frame.startsWith('data: {'))
    .map((frame) => {
      try {
        JSON.parse(frame.slice(6))
        return false
      } catch {
        return true
      }
    })
  // The opening event comes before the first that counts.
  expect(broken.indexOf(true)).toBe(10)
  expect(broken.filter((one) => one)).toHaveLength(1)
  expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
})

test('bad-chunk breaks the framing of the body', async () => {
  const emulator = await start(['bad-chunk:10'])
  const wire = new Wire(emulator).post(streamed)
  expect(await wire.end()).toBe('fin')
  expect(contentEvents(wire.text)).toBe(9)
  expect(wire.text).toContain('not-a-chunk-size')
  await expect(post(emulator, streamed)).rejects.toThrow()
})

test.each([
  ['vllm', '/v1/chat/completions', 'data: [DONE]\n\n'],
  ['ollama', '/api/chat', '"done":true'],
  ['vllm', '/v1/messages', 'event: message_stop'],
  ['vllm', '/v1/responses', 'response.incomplete'],
] as const)('no-done leaves out the last word of %s %s', async (engine, path, word) => {
  const body = { ...streamed, input: 'Hello.', max_output_tokens: 5, options: { num_predict: 5 } }
  const emulator = await start(['no-done@first'], { engine })
  expect((await post(emulator, body, path)).text).not.toContain(word)
  expect((await post(emulator, body, path)).text).toContain(word)
})

test.each([
  ['vllm', '/v1/chat/completions', /data: \{"error":\{"message":"[^}]*\}\}\n\ndata: \[DONE\]\n\n$/],
  [
    'sglang',
    '/v1/chat/completions',
    /data: \{"error":\{"object":"error",[^}]*\}\}\n\ndata: \[DONE\]\n\n$/,
  ],
  ['llama-server', '/v1/chat/completions', /data: \{"error":\{"code":500,[^}]*\}\}\n\n$/],
  ['ollama', '/api/chat', /\n\{"error":"[^"]*"\}\n$/],
  ['vllm', '/v1/messages', /event: error\ndata: \{"type":"error",[^\n]*\n\n$/],
  ['vllm', '/v1/responses', /event: response\.failed\ndata: [^\n]*\n\n$/],
] as const)('mid-error ends a stream of %s %s with its own error', async (engine, path, tail) => {
  const body = { ...streamed, input: 'Hello.' }
  const { status, text } = await post(await start(['mid-error:10'], { engine }), body, path)
  expect(status).toBe(200)
  expect(text).toMatch(tail)
})

test('split-utf8 sends the same characters in awkward pieces with CRLF', async () => {
  const emulator = await start(['split-utf8@first'])
  const response = await fetch(`${emulator.url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify(streamed),
  })
  const text = await response.text()
  const plain = await post(emulator, streamed)
  const words = (stream: string): string[] =>
    [...stream.matchAll(/"content":"([^"]*)"/g)].map((match) => match[1] ?? '')
  expect(words(text)).toEqual(words(plain.text))
  expect(text).toContain('\r\n\r\n')
  const wire = new Wire(await start(['split-utf8'])).post(streamed)
  await wire.until(isWhole)
  // A chunk that ends in the first byte of a character of two or three.
  expect(wire.bytes.toString('latin1')).toMatch(/[\u00c3-\u00f0]\r\n[0-9a-f]+\r\n[\u0080-\u00bf]/)
})

test('pings are comments while nothing else comes', async () => {
  const clock = new ManualClock()
  const emulator = await start(['pings:5s', 'slow-first-token:12s'], { clock })
  const wire = new Wire(emulator).post(streamed)
  await expect.poll(() => emulator.stats().running).toBe(1)
  clock.advance(12_000)
  const text = await wire.until(isWhole)
  expect(count(text, ': ping\n\n')).toBe(2)
  expect(clock.timers).toBe(0)
})

test.each([
  ['status:500', 500, '"code":500'],
  ['status:503', 503, '"code":503'],
  ['loading', 503, 'Loading model'],
  ['context-length', 400, "This model's maximum context length is"],
  ['content-filter', 400, 'content policy'],
  ['lying-health', 500, 'InternalServerError'],
])('%s is answered in the words of the engine', async (fault, status, part) => {
  const answer = await post(await start([fault]), whole)
  expect(answer.status).toBe(status)
  expect(answer.text).toContain(part)
})

test('429 says how long to wait, in seconds or as a date', async () => {
  const emulator = await start(['429:2s@first', '429-date:90s@first'])
  const seconds = await post(emulator, whole)
  expect([seconds.status, seconds.headers.get('retry-after')]).toEqual([429, '2'])
  const date = await post(await start(['429-date:90s']), whole)
  const inMs = Date.parse(date.headers.get('retry-after') ?? '') - Date.now()
  expect(inMs).toBeGreaterThan(80_000)
  expect(inMs).toBeLessThanOrEqual(90_000)
})

test('reject-prefill refuses only what ends with the assistant', async () => {
  const emulator = await start(['reject-prefill'], { engine: 'openai' })
  expect((await post(emulator, whole)).status).toBe(200)
  const begun = [...messages, { role: 'assistant', content: 'Ships' }]
  expect((await post(emulator, { ...whole, messages: begun })).status).toBe(400)
})

test('lying-health says all is well on the health page', async () => {
  const emulator = await start(['lying-health'], { engine: 'llama-server' })
  expect((await fetch(`${emulator.url}/health`)).status).toBe(200)
  expect((await post(emulator, whole)).status).toBe(500)
})

test('loading shows on the health page as the engine shows it', async () => {
  const emulator = await start(['loading'], { engine: 'llama-server' })
  const response = await fetch(`${emulator.url}/health`)
  expect(response.status).toBe(503)
  expect(await response.json()).toMatchObject({ error: { message: 'Loading model' } })
})

test('slow-health delays the health page and no request', async () => {
  const clock = new ManualClock()
  const emulator = await start(['slow-health:5s'], { clock })
  let answered = false
  const health = fetch(`${emulator.url}/health`).then((response) => {
    answered = true
    return response.status
  })
  expect((await post(emulator, whole)).status).toBe(200)
  await expect.poll(() => clock.timers).toBe(1)
  expect(answered).toBe(false)
  clock.advance(5000)
  expect(await health).toBe(200)
})

test('refuse closes the listening socket and every connection, and opens again in time', async () => {
  const clock = new ManualClock()
  const emulator = await start(['refuse@after=10s@until=60s'], { clock, speed: 1 })
  const { port } = emulator
  const wire = new Wire(emulator).post({ ...streamed, max_tokens: 5000 })
  await expect.poll(() => emulator.stats().inFlight).toBe(1)
  clock.advance(10_000)
  expect(await wire.end()).toBe('reset')
  await expect(fetch(`${emulator.url}/health`)).rejects.toThrow()
  expect(emulator.stats()).toMatchObject({ inFlight: 0, openSockets: 0 })
  clock.advance(50_000)
  await expect.poll(() => isUp(emulator)).toBe(true)
  expect(emulator.port).toBe(port)
})

async function isUp(emulator: Emulator): Promise<boolean> {
  try {
    return (await fetch(`${emulator.url}/health`)).ok
  } catch {
    return false
  }
}

test('keep-alive-race closes the connection after an answer that promised to keep it', async () => {
  const wire = new Wire(await start(['keep-alive-race'])).post(whole)
  expect(await wire.end()).toBe('fin')
  expect(wire.text).toContain('HTTP/1.1 200 OK')
  expect(wire.text.toLowerCase()).not.toContain('connection: close')
})

test('keep-alive-race:next resets the connection when it is used again', async () => {
  const wire = new Wire(await start(['keep-alive-race:next@first'])).post(whole)
  await wire.until((text) => text.includes('"usage"'))
  expect(wire.ended).toBe('open')
  wire.post(whole)
  expect(await wire.end()).toBe('reset')
  expect(count(wire.text, 'HTTP/1.1')).toBe(1)
})

test.each([
  ['cut:1', 'fin'],
  ['reset-at:1', 'reset'],
])('%s breaks a whole answer after half of its body', async (fault, how) => {
  const wire = new Wire(await start([fault])).post(whole)
  expect(await wire.end()).toBe(how)
  const [head = '', body = ''] = wire.text.split('\r\n\r\n')
  const promised = Number(/content-length: (\d+)/i.exec(head)?.[1])
  expect(Buffer.byteLength(body)).toBe(Math.ceil(promised / 2))
})

test.each(['garbage:1', 'end-at:1'])('%s truncates a whole answer', async (fault) => {
  const { status, text } = await post(await start([fault]), whole)
  expect(status).toBe(200)
  expect(() => JSON.parse(text)).toThrow()
})

test('stall holds back the second half of a whole answer', async () => {
  const clock = new ManualClock()
  const wire = new Wire(await start(['stall:1:30s'], { clock })).post(whole)
  await wire.until((text) => text.includes('{"id"'))
  expect(wire.text).not.toContain('"usage"')
  await expect.poll(() => clock.timers).toBe(1)
  clock.advance(30_000)
  await wire.until((text) => text.includes('"usage"'))
})

test('mid-error is a 500 for a whole answer, and bad-chunk breaks its framing', async () => {
  expect((await post(await start(['mid-error']), whole)).status).toBe(500)
  await expect(post(await start(['bad-chunk']), whole)).rejects.toThrow()
  const split = await post(await start(['split-utf8']), whole)
  expect(JSON.parse(split.text)).toMatchObject({ object: 'chat.completion' })
})

test('several faults may strike one request', async () => {
  const clock = new ManualClock()
  const emulator = await start(['slow-first-token:5s', 'garbage:2', 'cut:4'], { clock })
  const wire = new Wire(emulator).post(streamed)
  await expect.poll(() => emulator.stats().running).toBe(1)
  clock.advance(5000)
  expect(await wire.end()).toBe('fin')
  expect(wire.text).not.toContain('[DONE]')
})

test('pages are spared by faults of requests', async () => {
  const emulator = await start(['reset', 'status:500'])
  expect((await fetch(`${emulator.url}/v1/models`)).status).toBe(200)
  expect((await fetch(`${emulator.url}/metrics`)).status).toBe(200)
  expect((await fetch(`${emulator.url}/health`)).status).toBe(200)
})

test('the script is replaced over HTTP, and a wrong one changes nothing', async () => {
  const emulator = await start(['status:500'])
  const replace = (faults: unknown) => post(emulator, faults, '/emulator/faults')
  const wrong = await replace(['status:500', 'explode'])
  expect(wrong.status).toBe(400)
  expect(wrong.text).toContain('there is no kind')
  expect((await replace({ faults: [] })).status).toBe(400)
  expect((await post(emulator, whole)).status).toBe(500)
  expect((await replace(['status:503@first'])).status).toBe(200)
  await expect
    .poll(() => emulator.stats().faults)
    .toEqual([{ fault: 'status:503@first=1', fired: 0 }])
  expect((await post(emulator, whole)).status).toBe(503)
  expect((await post(emulator, whole)).status).toBe(200)
})
