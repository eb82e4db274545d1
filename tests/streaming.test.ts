/** gateway-checklist.md, streaming: lines 8 to 16. */
import { expect, test, vi } from 'vitest'
import { accessLogFile } from './harness/access-log.ts'
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
import { rawChat } from './harness/raw-http.ts'
import {
  answerStream,
  chatEvent,
  doneEvent,
  finishEvent,
  scriptedEngine,
} from './harness/scripted-engine.ts'
import { untilTrue } from './harness/until-true.ts'

test('line 8: headers go out with the headers of the engine, before any event', async () => {
  let release = (): void => {}
  const held = await scriptedEngine(({ response }) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.flushHeaders()
    release = () => response.end(chatEvent('late') + finishEvent() + doneEvent)
  })
  const { url } = await fleet({ endpoints: endpointsOf({ held }) })
  const response = await chat(url, { stream: true })
  expect(response.headers.get('x-accel-buffering')).toBe('no')
  expect(response.headers.get('cache-control')).toBe('no-cache')
  expect(response.headers.get('content-encoding')).toBeNull()
  release()
  expect(contentOf((await readEvents(response)).events)).toBe('late')
})

test.each(['\n', '\r\n', '\r'])(
  'line 9: events with %j line ends pass in pieces of any size',
  async (lineEnd) => {
    const text = `\uFEFF: a comment\n\n${chatEvent('Grüße 🎉')}data: {"choices":\ndata: [{"index":0,"delta":{"content":"!"}}]}\n\n${finishEvent()}${doneEvent}`
    const bytes = Buffer.from(text.replaceAll('\n', lineEnd))
    for (const size of [1, 2, 3, 7, 64, bytes.length]) {
      const pieces = await scriptedEngine(({ response }) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        const write = (at: number): void => {
          if (at >= bytes.length) {
            response.end()
            return
          }
          response.write(bytes.subarray(at, at + size))
          if (at % (size * 8) === 0) setImmediate(write, at + size)
          else write(at + size)
        }
        write(0)
      })
      const { url } = await fleet({ endpoints: endpointsOf({ pieces }) })
      const response = await chat(url, { stream: true })
      expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes)
    }
  },
)

test('line 9: a last event without its blank line still counts', async () => {
  const short = await scriptedEngine(({ response }) => {
    answerStream(response, `${chatEvent('a')}${finishEvent()}data: [DONE]`)
  })
  const { url } = await fleet({ endpoints: endpointsOf({ short }) })
  const { text, broken } = await readEvents(await chat(url, { stream: true }))
  expect(broken).toBe(false)
  expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
})

test('line 10: characters cut between two pieces come out byte for byte', async () => {
  const bytes = Buffer.from(
    Array.from({ length: 40 }, (_, index) => chatEvent(`${index} für 東京 🎉`)).join('') +
      finishEvent() +
      doneEvent,
  )
  const pieces = await scriptedEngine(({ response }) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const write = (at: number): void => {
      if (at >= bytes.length) response.end()
      else response.write(bytes.subarray(at, at + 5), () => write(at + 5))
    }
    write(0)
  })
  const { url } = await fleet({ endpoints: endpointsOf({ pieces }) })
  const response = await chat(url, { stream: true })
  expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true)
})

test.each(['cut:5', 'reset-at:5', 'garbage:5', 'bad-chunk:5', 'stall:5:60s'])(
  'line 11: an engine that ends with %s in mid-stream ends in an error event, never in a stop',
  async (fault) => {
    const one = await engine({ faults: [fault] })
    const { url } = await fleet({
      endpoints: endpointsOf({ one }),
      // It would be asked for one rest after another, and be well in between.
      gateway: { timeouts: { betweenChunksMs: 200 }, retries: { returnMs: 0 } },
    })
    const { events, broken, text } = await readEvents(await chat(url, { stream: true }))
    const final = JSON.parse(events.at(-1) as string)
    expect(final.error.code).toBe('stream_interrupted')
    expect(final.error.message).toContain('one')
    expect(broken).toBe(true)
    expect(text).not.toContain('[DONE]')
    expect(text).not.toContain('"finish_reason":"stop"')
    for (const each of events) expect(() => JSON.parse(each)).not.toThrow()
  },
)

test.each([
  { path: '/v1/messages', last: /event: error\ndata: \{"type":"error"/ },
  {
    path: '/v1/responses',
    last: /event: error\ndata: \{"type":"error","code":"stream_interrupted"/,
  },
  { path: '/v1/completions', last: /data: \{"error":/ },
])(
  'line 11: a cut stream of $path ends in the words of that API',
  async ({ path, last: ending }) => {
    const one = await engine({ faults: ['cut:3'] })
    const { url } = await fleet({ endpoints: endpointsOf({ one }) })
    const { text, broken } = await readEvents(
      await post(`${url}${path}`, { ...question, input: 'Hi', prompt: 'Hi', stream: true }),
    )
    expect(text).toMatch(ending)
    expect(broken).toBe(true)
  },
)

test('line 11: a cut stream of Ollama ends in an error line', async () => {
  const one = await engine({ engine: 'ollama', faults: ['cut:3'] })
  const { url } = await fleet({ endpoints: endpointsOf({ one }) })
  const { text, broken } = await readEvents(await post(`${url}/api/chat`, question))
  const lines = text.trim().split('\n')
  expect(JSON.parse(lines.at(-1) as string).error).toContain('stopped in the middle')
  expect(broken).toBe(true)
})

test('line 11: a stream of two choices of which one never ended is not taken for whole', async () => {
  const short = await scriptedEngine(({ response }) =>
    answerStream(response, chatEvent('b', 1) + finishEvent(0) + chatEvent('c', 1)),
  )
  const { url } = await fleet({ endpoints: endpointsOf({ short }) })
  const { events, broken, text } = await readEvents(await chat(url, { stream: true, n: 2 }))
  expect(JSON.parse(events.at(-1) as string).error.code).toBe('stream_interrupted')
  expect(broken).toBe(true)
  expect(text).not.toContain('[DONE]')
})

test('line 11: a broken answer that is no stream ends in a broken connection', async () => {
  const half = await scriptedEngine(({ response }) => {
    response.writeHead(200, { 'content-type': 'audio/wav', 'content-length': '1000' })
    response.write(Buffer.alloc(100), () => response.destroy())
  })
  const { url } = await fleet({ endpoints: endpointsOf({ half }) })
  const response = await post(`${url}/v1/audio/speech`, { model: question.model, input: 'Hi' })
  await expect(response.arrayBuffer()).rejects.toThrow()
})

test('line 12: an error before the first byte keeps its status although a stream was asked for', async () => {
  const one = await engine({ faults: ['status:400'] })
  const { url } = await fleet({ endpoints: endpointsOf({ one }) })
  const response = await chat(url, { stream: true })
  expect(response.status).toBe(400)
  expect(response.headers.get('content-type')).toContain('json')
})

test('line 13: a reader that stops slows its own engine, and is cut off in the end', async () => {
  let writtenBytes = 0
  const chatty = await scriptedEngine(({ response }) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const chunk = chatEvent('x'.repeat(16_000))
    const write = (): void => {
      while (!response.destroyed) {
        writtenBytes += chunk.length
        if (!response.write(chunk)) {
          response.once('drain', write)
          return
        }
      }
    }
    write()
  })
  const log = accessLogFile()
  const { url, gateway } = await fleet({
    endpoints: endpointsOf({ chatty }),
    gateway: { writeStallMs: 400, accessLog: log.path },
  })
  const aborter = new AbortController()
  const response = await chat(url, { stream: true }, { signal: aborter.signal })
  expect(response.status).toBe(200)
  // Nobody reads. The buffers of four sockets fill, then everything stands still, and in the end
  // the reader is cut off and its slot returns.
  await untilTrue('the reader is cut off', () => gateway.vitals.inFlight === 0)
  expect(writtenBytes).toBeLessThan(64 * 1024 * 1024)
  aborter.abort()
  await gateway.close()
  expect(await log.first()).toMatchObject({
    status: 499,
    attempts: ['chatty: the client read nothing for 400 ms'],
  })
})

test('line 13: a reader that stops is cut off also where its answer has ended in an error', async () => {
  const chatty = await scriptedEngine(({ response }) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const chunk = chatEvent('x'.repeat(16_000))
    const write = (): void => {
      while (!response.destroyed && response.write(chunk));
      response.once('drain', write)
    }
    write()
  })
  const { url, gateway } = await fleet({
    endpoints: endpointsOf({ chatty }),
    gateway: { writeStallMs: 600, timeouts: { totalMs: 500 } },
  })
  const socket = await rawChat(url, { stream: true })
  socket.pause()
  await untilTrue('the answer has begun', () => gateway.vitals.inFlight === 1)
  await untilTrue('its time is over', () => gateway.vitals.inFlight === 0)
  expect(gateway.vitals.openConnections).toBe(1)
  await untilTrue('the reader is cut off', () => gateway.vitals.openConnections === 0)
})

test('line 13: a reader that stands still holds up no other stream', async () => {
  let standing = false
  const shared = await scriptedEngine(({ response, number }) => {
    if (number > 1) {
      answerStream(response, chatEvent('quick').repeat(500) + finishEvent() + doneEvent)
      return
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const chunk = chatEvent('x'.repeat(16_000))
    const write = (): void => {
      while (response.write(chunk)) standing = false
      standing = true
      response.once('drain', write)
    }
    write()
  })
  const { url, gateway } = await fleet({ endpoints: endpointsOf({ shared }) })
  const aborter = new AbortController()
  const slow = await chat(url, { stream: true }, { signal: aborter.signal })
  expect(slow.status).toBe(200)
  await untilTrue('the engine of the slow reader stands still', () => standing)
  for (let count = 0; count < 3; count++) {
    const { events, broken } = await readEvents(await chat(url, { stream: true }))
    expect([events.length, events.at(-1), broken]).toEqual([502, '[DONE]', false])
  }
  expect(gateway.vitals.inFlight).toBe(1)
  aborter.abort()
})

test('a gateway that stood still hears what came meanwhile before it takes an engine for silent', async () => {
  const limitMs = 100
  const one = await scriptedEngine(({ response }) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(chatEvent('Hello'))
    setTimeout(() => {
      response.end(chatEvent(' world') + finishEvent() + doneEvent)
      const untilMs = performance.now() + 2 * limitMs
      while (performance.now() < untilMs);
    }, limitMs / 4)
  })
  const { url } = await fleet({
    endpoints: endpointsOf({ one }),
    gateway: { timeouts: { betweenChunksMs: limitMs } },
  })
  const { events, broken } = await readEvents(await chat(url, { stream: true }))
  expect([broken, contentOf(events)]).toEqual([false, 'Hello world'])
  expect(one.received).toHaveLength(1)
})

test('line 14: pings keep a waiting client, between events only, and by option only', async () => {
  const slow = await engine({ faults: ['slow-first-token:500ms'] })
  for (const pingMs of [0, 50]) {
    const { url } = await fleet({ endpoints: endpointsOf({ slow }), gateway: { pingMs } })
    const { text, events, broken } = await readEvents(await chat(url, { stream: true }))
    expect(text.includes(': ping\n\n')).toBe(pingMs > 0)
    expect(broken).toBe(false)
    expect(events.at(-1)).toBe('[DONE]')
    for (const each of events.slice(0, -1)) expect(() => JSON.parse(each)).not.toThrow()
  }
})

test('line 14: the first ping comes after pingMs, not after twice as long', async () => {
  const silent = await engine({ faults: ['hang'] })
  const pingMs = 400
  const { url } = await fleet({ endpoints: endpointsOf({ silent }), gateway: { pingMs } })
  const aborter = new AbortController()
  const startedMs = performance.now()
  // The first ping sends the status line, and with it the response is here.
  const response = await chat(url, { stream: true }, { signal: aborter.signal })
  const tookMs = performance.now() - startedMs
  expect(response.status).toBe(200)
  expect(tookMs).toBeGreaterThan(pingMs - 20)
  expect(tookMs).toBeLessThan(pingMs * 1.8)
  aborter.abort()
})

test('line 14: an error after a ping is an event of the stream', async () => {
  const bad = await engine({ faults: ['hang'] })
  const { url } = await fleet({
    endpoints: endpointsOf({ bad }),
    gateway: { pingMs: 40, timeouts: { firstByteMs: 200 } },
  })
  const { events, broken } = await readEvents(await chat(url, { stream: true }))
  expect(JSON.parse(events.at(-1) as string).error.code).toBe('engine_timeout')
  expect(broken).toBe(true)
})

test('line 15: a frame that comes in a thousand pieces comes out whole', async () => {
  const long = chatEvent('x'.repeat(1_000_000))
  const pieces = await scriptedEngine(({ response }) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (let at = 0; at < long.length; at += 1000) response.write(long.slice(at, at + 1000))
    response.end(finishEvent() + doneEvent)
  })
  const { url } = await fleet({ endpoints: endpointsOf({ pieces }) })
  const { events } = await readEvents(await chat(url, { stream: true }))
  expect(contentOf(events)).toHaveLength(1_000_000)
})

test('line 15: events are relayed without being parsed', async () => {
  const count = 2_000
  const engineOfMany = await scriptedEngine(({ response }) =>
    answerStream(response, chatEvent('a word').repeat(count) + finishEvent() + doneEvent),
  )
  const { url } = await fleet({ endpoints: endpointsOf({ engineOfMany }) })
  const parse = vi.spyOn(JSON, 'parse')
  try {
    const text = await (await chat(url, { stream: true })).text()
    expect(text.split('a word')).toHaveLength(count + 1)
    // The request, the last few events, and checks that happen to fall in between.
    expect(parse.mock.calls.length).toBeLessThan(count / 20)
  } finally {
    parse.mockRestore()
  }
})

test('line 16: the end marker comes once, and a forgotten one is added to a whole answer', async () => {
  for (const fault of [[], ['no-done']]) {
    const one = await engine({ faults: fault })
    const { url } = await fleet({ endpoints: endpointsOf({ one }) })
    const { events, broken } = await readEvents(await chat(url, { stream: true }))
    expect(events.filter((each) => each === '[DONE]')).toHaveLength(1)
    expect(broken).toBe(false)
  }
})

test('line 16: a stream of two choices is whole when both ended, however long ago one did', async () => {
  const long = await scriptedEngine(({ response }) =>
    answerStream(response, finishEvent(0) + chatEvent('b', 1).repeat(50) + finishEvent(1)),
  )
  const { url } = await fleet({ endpoints: endpointsOf({ long }) })
  const { events, broken } = await readEvents(await chat(url, { stream: true, n: 2 }))
  expect(events.filter((each) => each === '[DONE]')).toHaveLength(1)
  expect([events.length, broken]).toEqual([53, false])
})

test('line 16: an end marker behind a comment is the end marker, and comes once', async () => {
  const chatty = await scriptedEngine(({ response }) =>
    answerStream(response, `${chatEvent('a')}${finishEvent()}: keep\n${doneEvent}`),
  )
  const { url } = await fleet({ endpoints: endpointsOf({ chatty }) })
  const { text, broken } = await readEvents(await chat(url, { stream: true }))
  expect(text.match(/\[DONE\]/g)).toHaveLength(1)
  expect(broken).toBe(false)
})

test('line 16: tool calls, n > 1, reasoning and logprobs pass unchanged', async () => {
  const one = await engine({ models: ['llama-3.1-8b', 'reasoner'] })
  const { url } = await fleet({ endpoints: endpointsOf({ one }) })
  const tools = [{ type: 'function', function: { name: 'weather', parameters: {} } }]
  for (const body of [
    { tools, tool_choice: 'required' },
    { n: 2 },
    { model: 'reasoner' },
    { logprobs: true, top_logprobs: 2 },
  ]) {
    const ask = { stream: true, seed: 5, stream_options: { include_usage: true }, ...body }
    const plain = (events: string[]) =>
      events.map((each) => each.replace(/"(id|created)":("[^"]*"|\d+),?/g, ''))
    const direct = await readEvents(await chat(one.url, ask))
    const relayed = await readEvents(await chat(url, ask))
    expect(plain(relayed.events)).toEqual(plain(direct.events))
  }
})

test('line 17: usage is counted without showing the event to a client that did not ask', async () => {
  const one = await engine()
  const { url } = await fleet({ endpoints: endpointsOf({ one }) })
  const { text } = await readEvents(await chat(url, { stream: true }))
  expect(text).not.toContain('"choices":[]')
  const sent = one.received().findLast(({ path }) => path === '/v1/chat/completions')
  expect(JSON.parse(String(sent?.body)).stream_options).toEqual({ include_usage: true })
  const metrics = await (await fetch(`${url}/metrics`)).text()
  expect(metrics).toMatch(/motley_tokens_total\{model="llama-3.1-8b",direction="completion"\} 20/)
})

test('the access log says how much of a prompt the engine had in its cache', async () => {
  const usage = {
    prompt_tokens: 90,
    completion_tokens: 2,
    prompt_tokens_details: { cached_tokens: 64 },
  }
  const cached = await scriptedEngine(({ response }) => {
    const usageEvent = `data: ${JSON.stringify({ choices: [], usage })}\n\n`
    answerStream(response, chatEvent('Hi') + finishEvent() + usageEvent + doneEvent)
  })
  const accessLog = accessLogFile()
  const { url, gateway } = await fleet({
    gateway: { accessLog: accessLog.path },
    endpoints: endpointsOf({ cached }),
  })
  await readEvents(await chat(url, { stream: true }))
  await gateway.close()
  expect(accessLog.first()).toMatchObject({
    ...{ promptTokens: 90, cachedTokens: 64, completionTokens: 2 },
  })
})
