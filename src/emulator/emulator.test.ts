import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
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
  const emulator = await startEmulator(options)
  running.push(emulator)
  return emulator
}

const model = 'llama-3.1-8b'
const messages = [{ role: 'user', content: 'Hello there.' }]

function post(emulator: Emulator, body: object, signal: AbortSignal | null = null) {
  return fetch(`${emulator.url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model, messages, ...body }),
    signal,
  })
}

test('tokens come at the pace of the device', async () => {
  const clock = new ManualClock()
  const emulator = await start({
    engine: 'vllm',
    clock,
    prefillTokensPerSecond: 60,
    decodeTokensPerSecond: 10,
  })
  const response = await post(emulator, { max_tokens: 5, stream: true })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const events = async (number: number): Promise<void> => {
    while (text.split('data: ').length - 1 < number) text += (await reader?.read())?.value ?? ''
  }
  // Six prompt tokens at 60/s are 100 ms; then a token each 100 ms.
  clock.advance(99)
  expect(emulator.stats().running).toBe(1)
  clock.advance(1)
  await events(2)
  clock.advance(250)
  await events(4)
  expect(text.split('data: ')).toHaveLength(5)
  clock.advance(150)
  await events(7)
  expect(text).toContain('[DONE]')
  expect(clock.timers).toBe(0)
})

test('a device brings its own rates and slots', async () => {
  const emulator = await start({ engine: 'vllm', device: 'rtx-4090' })
  expect(emulator.settings).toMatchObject({ decodeTokensPerSecond: 58.8, slots: 256 })
})

test.each([
  [{ device: 'rtx-9999' }, 'device: found "rtx-9999", allowed: one of h100-sxm'],
  [{ models: [] }, 'models: found an empty list'],
  [{ device: 'constructor' }, 'device: found "constructor", allowed: one of h100-sxm'],
  [{ speed: -1 }, 'speed: found -1, allowed: a number of at least 0'],
  [{ slots: 0 }, 'slots: found 0, allowed: a whole number from 1 to'],
  [{ kvTokens: 15 }, 'kvTokens: found 15, allowed: at least 16, which are a block of vllm'],
  [{ speed: Infinity }, 'speed: found Infinity, allowed: a number of at least 0'],
  [{ port: 99_999 }, 'port: found 99999, allowed: a whole number from 0 to 65535'],
  [{ loadMs: 3e9 }, 'loadMs: found 3000000000, allowed: a whole number from 0 to 2147483647'],
  [{ decodeTokensPerSecond: 0 }, 'allowed: a number above 0, or Infinity'],
  [{ faults: ['explode'] }, 'there is no kind "explode"'],
])('%j is refused with what would be right', async (options, message) => {
  await expect(startEmulator({ engine: 'vllm', ...options })).rejects.toThrow(message)
})

test.each(emulatedEngines)('%s stops working when the client leaves', async (engine) => {
  const clock = new ManualClock()
  const emulator = await start({ engine, slots: 1, clock })
  for (const body of [{ stream: true }, { stream: false }]) {
    const leave = new AbortController()
    const answer = post(emulator, body, leave.signal).then((response) => response.text())
    await expect.poll(() => emulator.stats().running).toBe(1)
    leave.abort()
    await expect(answer).rejects.toThrow()
    await expect.poll(() => emulator.stats()).toMatchObject({ running: 0, inFlight: 0 })
    // The step that it was in goes on to its end.
    clock.advance(1000)
  }
  expect(emulator.stats()).toMatchObject({ started: 2, aborted: 2, finished: 0 })
})

test('a request that waits gets the slot of one that left', async () => {
  const clock = new ManualClock()
  const emulator = await start({ engine: 'vllm', slots: 1, clock })
  const leave = new AbortController()
  const first = post(emulator, { max_tokens: 1000 }, leave.signal).catch(() => null)
  await expect.poll(() => emulator.stats().running).toBe(1)
  const second = post(emulator, { max_tokens: 2 })
  await expect.poll(() => emulator.stats().waiting).toBe(1)
  leave.abort()
  await first
  await expect.poll(() => emulator.stats().inFlight).toBe(1)
  clock.advance(2)
  expect(emulator.stats()).toMatchObject({ running: 1, waiting: 0 })
  clock.advance(1000)
  expect((await second).status).toBe(200)
})

test('500 streams at a time all end whole', async () => {
  const emulator = await start({
    engine: 'vllm',
    slots: 500,
    prefillTokensPerSecond: Number.POSITIVE_INFINITY,
    decodeTokensPerSecond: 200,
  })
  const texts = await Promise.all(
    Array.from({ length: 500 }, async () =>
      (await post(emulator, { stream: true, max_tokens: 20 })).text(),
    ),
  )
  expect(texts.every((text) => text.endsWith('data: [DONE]\n\n'))).toBe(true)
  expect(texts.every((text) => text.split('data: ').length === 1 + 1 + 20 + 1)).toBe(true)
  expect(emulator.stats()).toMatchObject({ started: 500, finished: 500, inFlight: 0 })
})

test('what was sent to it can be looked at', async () => {
  const emulator = await start({ engine: 'vllm', speed: 0 })
  await (await post(emulator, { max_tokens: 1, seed: 5 })).text()
  const [request] = emulator.received()
  expect(request).toMatchObject({ method: 'POST', path: '/v1/chat/completions' })
  expect(JSON.parse(request?.body.toString() ?? '')).toMatchObject({ seed: 5 })
  expect(emulator.stats().requests).toEqual({ 'POST /v1/chat/completions': 1 })
})

test('an idle connection is closed after its time, without having announced it', async () => {
  const emulator = await start({ engine: 'vllm', speed: 0, keepAliveTimeoutMs: 30 })
  const socket = connect(emulator.port, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString()
  })
  socket.write('GET /health HTTP/1.1\r\nhost: x\r\n\r\n')
  await once(socket, 'end')
  expect(text).toContain('HTTP/1.1 200 OK')
  expect(text.toLowerCase()).not.toContain('keep-alive: timeout')
})

test('it exits when told to over HTTP', async () => {
  let exited = false
  const emulator = await start({
    engine: 'vllm',
    onExit: () => {
      exited = true
    },
  })
  const response = await fetch(`${emulator.url}/emulator/exit`, { method: 'POST' })
  expect(await response.json()).toEqual({ exiting: true })
  await expect.poll(() => exited).toBe(true)
  await expect(fetch(`${emulator.url}/health`)).rejects.toThrow()
})

test('closing ends every connection and leaves no timer', async () => {
  const clock = new ManualClock()
  const emulator = await start({ engine: 'vllm', clock })
  const answer = post(emulator, { stream: true }).then((response) => response.text())
  const broken = expect(answer).rejects.toThrow()
  await expect.poll(() => emulator.stats().running).toBe(1)
  await emulator.close()
  await broken
  expect(clock.timers).toBe(0)
})
