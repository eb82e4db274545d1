/** Real sockets: servers that answer, hang, lie, break off, or are not there. */
import { createServer, type Server as HttpServer, type RequestListener } from 'node:http'
import {
  type AddressInfo,
  createServer as createSocketServer,
  type Server,
  type Socket,
} from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { watchEndpoints } from '#agent/endpoint-watcher.ts'
import { openPageFetcher, pageUrl } from '#agent/fetch-page.ts'
import type { PageOutcome, PageRequest } from '#agent/page-fetcher.ts'
import { endpointConfig } from '#core/config/endpoints.ts'
import type { EndpointReport } from '#protocol/endpoint-report.ts'

const cleanups: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function listen(server: Server | HttpServer): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const httpServer = (handle: RequestListener): Promise<string> => listen(createServer(handle))
/** Speaks no HTTP by itself: `talk` gets each connection, once something was sent on it. */
const rawServer = (talk: (socket: Socket) => void): Promise<string> =>
  listen(createSocketServer((socket) => socket.on('data', () => talk(socket))))

/** A port on which nothing listens. */
async function closedPort(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return `http://127.0.0.1:${port}`
}

function opened() {
  const fetcher = openPageFetcher()
  cleanups.push(() => fetcher.close())
  return (url: string, more: Partial<PageRequest> = {}): Promise<PageOutcome> =>
    fetcher.fetchPage({
      url,
      path: '/health',
      apiKey: undefined,
      timeoutMs: 5_000,
      signal: new AbortController().signal,
      ...more,
    })
}

test('an answer comes whole, whatever its status', async () => {
  const url = await httpServer((request, response) => {
    response.writeHead(503, { 'x-engine': 'yes' }).end(`${request.method} ${request.url} ünïcode`)
  })
  expect(await opened()(url, { path: '/health?deep=1' })).toMatchObject({
    kind: 'answer',
    answer: { status: 503, headers: { 'x-engine': 'yes' }, body: 'GET /health?deep=1 ünïcode' },
  })
})

test('the key is sent as a bearer token, and a name and password of the URL as basic', async () => {
  const url = await httpServer((request, response) => {
    response.end(request.headers.authorization ?? 'none')
  })
  const fetchPage = opened()
  const body = async (at: string, apiKey?: string) => {
    const outcome = await fetchPage(at, { apiKey })
    return outcome.kind === 'answer' ? outcome.answer.body : outcome.kind
  }
  expect(await body(url)).toBe('none')
  expect(await body(url, 'k1')).toBe('Bearer k1')
  expect(await body(url.replace('//', '//me:p%40ss@'))).toBe(`Basic ${btoa('me:p@ss')}`)
})

test('connections are kept from page to page', async () => {
  let connections = 0
  const server = createServer((_request, response) => response.end('ok'))
  server.on('connection', () => connections++)
  const url = await listen(server)
  const fetchPage = opened()
  for (let page = 0; page < 20; page++) expect((await fetchPage(url)).kind).toBe('answer')
  // Two, because the next page may be wanted just before the connection of the last is free.
  expect(connections).toBeLessThanOrEqual(2)
})

test('a kept connection that the other side has dropped costs nothing but a new one', async () => {
  let requests = 0
  const url = await rawServer((socket) => {
    requests++
    if (requests === 2) socket.resetAndDestroy()
    else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
  })
  const fetchPage = opened()
  expect((await fetchPage(url)).kind).toBe('answer')
  expect((await fetchPage(url)).kind).toBe('answer')
  expect(requests).toBe(3)
})

test('a redirect is an answer and is not followed', async () => {
  const elsewhere = await httpServer((_request, response) => response.end('followed'))
  const url = await httpServer((_request, response) => {
    response.writeHead(302, { location: elsewhere }).end()
  })
  expect(await opened()(url)).toMatchObject({ kind: 'answer', answer: { status: 302, body: '' } })
})

test('a port on which nothing listens refuses', async () => {
  expect(await opened()(await closedPort())).toEqual({
    kind: 'refused',
    detail: 'the connection was refused',
  })
})

test.each([
  ['before the first byte', ''],
  ['after the status line', 'HTTP/1.1 200 OK\r\n'],
  ['in the body', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfive'],
])('an endpoint that hangs %s has not answered in time', async (_when, text) => {
  const url = await rawServer((socket) => {
    if (text !== '') socket.write(text)
  })
  // Connecting takes its part of the limit, on a busy machine a tenth of a second.
  expect(await opened()(url, { timeoutMs: 1_000 })).toEqual({
    kind: 'answer-timeout',
    detail: 'it did not answer within 1000 ms',
  })
})

test('an answer that drips is cut off at the same limit', async () => {
  const url = await rawServer((socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n')
    const drip = setInterval(() => socket.write('.'), 20)
    socket.on('close', () => clearInterval(drip))
  })
  expect((await opened()(url, { timeoutMs: 1_000 })).kind).toBe('answer-timeout')
})

// What a name or address that leads nowhere brings depends on the network this runs in: a prompt
// no, or nothing. 192.0.2.0/24 is set aside for documentation.
test.each(['http://no-such-host.invalid:8000', 'http://192.0.2.1:9'])(
  'to %s there is no connection, and that is known in time',
  async (url) => {
    const outcome = await opened()(url, { timeoutMs: 300 })
    expect(['connect-timeout', 'refused']).toContain(outcome.kind)
  },
)

test.each([
  ['is not HTTP', 'SSH-2.0-OpenSSH_9.6\r\n', /not HTTP/],
  ['has a broken header', 'HTTP/1.1 200 OK\r\n: \u0001\r\n\r\n', /not HTTP/],
  ['ends too early', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfive', /too early/],
  ['is nothing but an end', '', /without an answer/],
])('an answer that %s is malformed', async (_what, text, detail) => {
  const url = await rawServer((socket) => socket.end(text))
  const outcome = await opened()(url)
  expect(outcome).toMatchObject({ kind: 'malformed', detail: expect.stringMatching(detail) })
})

test('an endpoint that streams for ever is cut off at 1 MiB', async () => {
  let sentBytes = 0
  const url = await httpServer((_request, response) => {
    const chunk = Buffer.alloc(64 * 1024)
    const send = (): void => {
      while (!response.destroyed) {
        sentBytes += chunk.length
        if (!response.write(chunk)) break
      }
    }
    response.on('drain', send)
    send()
  })
  const outcome = await opened()(url)
  expect(outcome).toMatchObject({ kind: 'malformed', detail: expect.stringMatching(/larger/) })
  expect(sentBytes).toBeLessThan(32 * 1024 * 1024)
})

test('TLS where there is none is malformed', async () => {
  const url = await httpServer((_request, response) => response.end('ok'))
  expect((await opened()(url.replace('http:', 'https:'))).kind).toBe('malformed')
})

test('an abort ends it at once and closes the connection', async () => {
  const closed = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  const url = await rawServer((socket) => {
    asked.resolve()
    socket.on('close', () => closed.resolve())
  })
  const abort = new AbortController()
  const page = opened()(url, { signal: abort.signal })
  await asked.promise
  abort.abort(new Error('enough'))
  await expect(page).rejects.toThrow('enough')
  await closed.promise
  await expect(opened()(url, { signal: abort.signal })).rejects.toThrow('enough')
})

test.each([
  ['http://a:1', '/health', 'http://a:1/health'],
  ['http://a:1/', '/health', 'http://a:1/health'],
  ['http://a:1/v1', '/v1/models', 'http://a:1/v1/models'],
  ['http://a:1/v1/', '/health', 'http://a:1/health'],
  ['https://u:p@a/team/llm/v1', '/v1/models', 'https://a/team/llm/v1/models'],
  ['http://a:1', '/up?x=1', 'http://a:1/up?x=1'],
])('at %s the page %s is %s', (url, path, whole) => {
  expect(pageUrl(url, path).href).toBe(whole)
})

/** Watches over real sockets until a report is as wanted. */
function watchUntil(
  url: string,
  wanted: (report: EndpointReport) => boolean,
  health: object = {},
): Promise<EndpointReport> {
  return new Promise((resolve) => {
    const watcher = watchEndpoints({
      endpoints: [endpointConfig.parse({ url, health: { intervalMs: 50, ...health } })],
      report(report) {
        if (wanted(report)) resolve(report)
      },
    })
    cleanups.push(() => watcher.close())
  })
}

test('the watcher follows a real engine from nothing over loading to ready and away again', async () => {
  const port = new URL(await closedPort()).port
  const url = `http://127.0.0.1:${port}`
  const verdicts: string[] = []
  const until = (verdict: string) => (report: EndpointReport) => {
    verdicts.push(report.check.verdict)
    return report.check.verdict === verdict
  }
  expect((await watchUntil(url, until('refused'))).check.status).toBe('L4CON')

  let loading = true
  const engine = createServer((request, response) => {
    response.setHeader('server', 'llama.cpp')
    if (loading) {
      response
        .writeHead(503)
        .end('{"error":{"message":"Loading model","type":"unavailable_error"}}')
    } else if (request.url === '/v1/models') {
      response.end('{"object":"list","data":[{"id":"qwen"}]}')
    } else if (request.url === '/props') {
      response.end(
        '{"default_generation_settings":{"n_ctx":4096},"total_slots":2,"build_info":"b1"}',
      )
    } else response.end('{"status":"ok"}')
  })
  await new Promise<void>((resolve) => engine.listen(Number(port), '127.0.0.1', resolve))
  const seenLoading = await watchUntil(url, until('loading'))
  expect(seenLoading).toMatchObject({ engine: 'llama-server', check: { code: 503 } })
  loading = false
  const seenReady = await watchUntil(url, until('ready'))
  expect(seenReady).toMatchObject({
    engineVersion: 'b1',
    models: [{ servedName: 'qwen', contextTokens: 4_096 }],
  })
  engine.closeAllConnections()
  await new Promise((resolve) => engine.close(resolve))
  expect((await watchUntil(url, until('refused'))).check.code).toBeNull()
})

test('a hanging endpoint is reported silent, over and over', async () => {
  const url = await rawServer(() => {})
  let reports = 0
  const report = await watchUntil(url, () => ++reports === 3, { timeoutMs: 60 })
  expect(report.check).toMatchObject({ status: 'L7TOUT', verdict: 'silent', code: null })
})

test('a watcher that is closed in mid-check lets go of the connection', async () => {
  const asked = Promise.withResolvers<void>()
  const closed = Promise.withResolvers<void>()
  const url = await rawServer((socket) => {
    asked.resolve()
    socket.on('close', () => closed.resolve())
  })
  const reports: EndpointReport[] = []
  const watcher = watchEndpoints({
    endpoints: [endpointConfig.parse({ url })],
    report: (report) => reports.push(report),
  })
  await asked.promise
  watcher.close()
  await closed.promise
  expect(reports).toEqual([])
})

test('a hundred watchers opened and closed on a dead port leave no timer behind', async () => {
  const url = await closedPort()
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const before = timers()
  for (let cycle = 0; cycle < 100; cycle++) {
    const watcher = watchEndpoints({ endpoints: [endpointConfig.parse({ url })], report() {} })
    if (cycle % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
    watcher.close()
  }
  await expect.poll(timers, { timeout: 30_000 }).toBeLessThanOrEqual(before + 2)
})

test('connections that nobody has used for ten minutes are ended when new ones are made', async () => {
  let connections = 0
  const server = createServer((_request, response) => response.end('ok'))
  server.keepAliveTimeout = 3_600_000
  server.on('connection', (socket) => {
    connections++
    socket.on('close', () => connections--)
  })
  const url = await listen(server)
  let nowMs = 0
  const fetcher = openPageFetcher(() => nowMs)
  cleanups.push(() => fetcher.close())
  const fetchWithin = (timeoutMs: number) =>
    fetcher.fetchPage({
      url,
      path: '/health',
      apiKey: undefined,
      timeoutMs,
      signal: new AbortController().signal,
    })
  // As many pools as limits.
  for (let limit = 30_000; limit < 30_020; limit++) {
    expect(await fetchWithin(limit)).toMatchObject({ kind: 'answer' })
  }
  expect(connections).toBe(20)
  nowMs = 599_999
  await fetchWithin(30_000)
  nowMs = 600_000
  await fetchWithin(40_000)
  await vi.waitFor(() => expect(connections).toBe(2), 30_000)
})
