/** The way in to engines: what it passes on, what it keeps to itself, and how it ends. */
import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { type Ingress, openIngress } from '#agent/ingress.ts'
import { peerTlsOptions } from '#std/peer-tls.ts'
import { makeCertificate } from '#std/self-signed-certificate.ts'

const [node, controller] = await Promise.all([
  makeCertificate('node', Date.now()),
  makeCertificate('controller', Date.now()),
])

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

interface Setup {
  readonly ingress: Ingress
  ask(path: string, options?: object, body?: string | Buffer): Promise<IncomingMessage>
  /** One connection for all that is asked. */
  readonly agent: Agent
}

async function setup(engine: RequestListener | null): Promise<Setup> {
  let port: number | null = null
  if (engine !== null) {
    const server = createServer(engine)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    port = (server.address() as AddressInfo).port
    cleanups.push(() => {
      server.closeAllConnections()
      server.close()
    })
  }
  const ingress = await openIngress({
    certificate: node,
    host: '127.0.0.1',
    port: 0,
    mayReach: (fingerprint) => (fingerprint === controller.fingerprint ? 'everything' : null),
    answerWeights: async () => false,
    portOf: (replica) => (replica === 'gone' ? 9 : replica === 'a' ? port : null),
    attachedPortOf: (id) => (id === 'theirs' ? port : null),
  })
  cleanups.push(() => ingress.close())
  const agent = new Agent({ ...peerTlsOptions(controller), keepAlive: true, maxSockets: 1 })
  cleanups.push(() => agent.destroy())
  return {
    ingress,
    agent,
    async ask(path, options = {}, body) {
      const request = httpsRequest({
        host: '127.0.0.1',
        port: ingress.port,
        path,
        agent,
        ...options,
      })
      request.end(body)
      const [answer] = (await once(request, 'response')) as [IncomingMessage]
      return answer
    },
  }
}

test.each([
  { path: '/', status: 404 },
  { path: '/replicas/a', status: 404 },
  { path: '/v1/models', status: 404 },
  { path: '/replicas/b/v1/models', status: 503 },
  { path: '/replicas/gone/v1/models', status: 502 },
  // A replica is no attached engine, and the other way round.
  { path: '/attached/a/v1/models', status: 503 },
  { path: '/replicas/theirs/v1/models', status: 503 },
  { path: '/attached/theirs', status: 404 },
])('$path is $status, in JSON', async ({ path, status }) => {
  const { ask } = await setup((_request, response) => response.end())
  const answer = await ask(path)
  expect(answer.statusCode).toBe(status)
  expect(JSON.parse(await text(answer))).toMatchObject({ error: { message: expect.any(String) } })
})

test('an engine that is attached is reached by its name, and nothing waits for it to be idle', async () => {
  const { ingress, ask } = await setup((request, response) => response.end(request.url))
  const answer = await ask('/attached/theirs/v1/models?x=1')
  expect(await text(answer)).toBe('/v1/models?x=1')
  await ingress.untilIdle('theirs', new AbortController().signal)
})

test('a request arrives as it was sent, and the answer as it was given', async () => {
  let seen: IncomingMessage | null = null
  let body = ''
  const { ask } = await setup(async (request, response) => {
    seen = request
    body = await text(request)
    response.writeHead(418, 'Teapot', [
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['x-engine', 'yes'],
      ['connection', 'close, x-hop'],
      ['x-hop', 'for this connection'],
    ])
    response.end('short and stout')
  })
  const answer = await ask(
    '/replicas/a/v1/chat?x=1&y=%2F',
    {
      method: 'DELETE',
      headers: { 'x-request-id': 'r1', 'transfer-encoding': 'chunked', te: 'trailers' },
    },
    'a body',
  )
  const { method, url, headers } = seen as unknown as IncomingMessage
  expect([method, url, body]).toEqual(['DELETE', '/v1/chat?x=1&y=%2F', 'a body'])
  expect(headers).toMatchObject({
    'x-request-id': 'r1',
    host: expect.stringMatching(/^127\.0\.0\.1:/),
  })
  expect(headers).not.toHaveProperty('te')
  expect([answer.statusCode, answer.statusMessage]).toEqual([418, 'Teapot'])
  expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2'])
  expect(answer.headers).not.toHaveProperty('x-hop')
  // The engine's connection ends; the one from the gateway is kept.
  expect(answer.headers.connection).toBe('keep-alive')
  expect(await text(answer)).toBe('short and stout')
})

test('one connection serves request after request, also after a large upload was refused', async () => {
  const ports = new Set<number | undefined>()
  const { ask, agent } = await setup((_request, response) => response.end('fine'))
  agent.on('free', (socket) => ports.add(socket.localPort))
  for (const path of ['/replicas/gone/v1/a', '/replicas/b/v1/a', '/nowhere', '/replicas/a/v1/a']) {
    const answer = await ask(path, { method: 'POST' }, Buffer.alloc(300_000))
    await text(answer)
  }
  expect(await text(await ask('/replicas/a/v1/b'))).toBe('fine')
  expect(ports.size).toBe(1)
})

test('an answer comes as it is written, not when it is whole', async () => {
  const { promise: answering, resolve } = Promise.withResolvers<ServerResponse>()
  const { ask } = await setup((_request, response) => {
    response.write('data: 1\n\n')
    resolve(response)
  })
  const answer = await ask('/replicas/a/v1/stream')
  const [first] = (await once(answer, 'data')) as [Buffer]
  expect(first.toString()).toBe('data: 1\n\n')
  const engine = await answering
  engine.end('data: 2\n\n')
  expect(await text(answer)).toBe('data: 2\n\n')
})

test('an answer that breaks off in the engine breaks off here: it never looks whole', async () => {
  const { ask } = await setup((_request, response) => {
    response.write('half of it', () => response.socket?.resetAndDestroy())
  })
  const answer = await ask('/replicas/a/v1/stream')
  await expect(text(answer)).rejects.toThrow(/aborted|ECONNRESET/)
})

test('a client that leaves takes its request to the engine along, before and in the answer', async () => {
  for (const answers of [false, true]) {
    const { promise: asked, resolve: noteAsked } = Promise.withResolvers<ServerResponse>()
    const { ingress, agent } = await setup((_request, response) => {
      if (answers) response.write('some')
      noteAsked(response)
    })
    const request = httpsRequest({
      host: '127.0.0.1',
      port: ingress.port,
      path: '/replicas/a/x',
      agent,
    })
    request.on('error', () => {})
    request.end()
    const engine = await asked
    const left = once(engine, 'close')
    request.destroy()
    await left
    expect(engine.writableFinished).toBe(false)
  }
})

test('idle is when the last request is over, however it ended, or when nobody waits any more', async () => {
  const responses: ServerResponse[] = []
  const { ask, ingress } = await setup((_request, response) => {
    response.write('x')
    responses.push(response)
  })
  const story: string[] = []
  const never = new AbortController()
  await ingress.untilIdle('a', never.signal)
  const separate = { agent: false, ...peerTlsOptions(controller) }
  const [one, other] = await Promise.all([
    ask('/replicas/a/1', separate),
    ask('/replicas/a/2', separate),
  ])
  const idle = ingress.untilIdle('a', never.signal).then(() => story.push('idle'))
  const impatient = new AbortController()
  const given = ingress.untilIdle('a', impatient.signal).then(() => story.push('given up'))
  await ingress.untilIdle('b', never.signal)
  impatient.abort()
  await given
  responses[0]?.end()
  other.destroy()
  one.resume()
  // One ended, one broke off: in whichever order they came to the engine.
  responses[1]?.end()
  await idle
  expect(story).toEqual(['given up', 'idle'])
})

test('closing does not wait for those who connected and said nothing', async () => {
  const { ingress } = await setup(null)
  const silent = connect(ingress.port, '127.0.0.1')
  silent.on('error', () => {})
  await once(silent, 'connect')
  const startedMs = performance.now()
  await ingress.close()
  expect(performance.now() - startedMs).toBeLessThan(1_000)
  silent.destroy()
})
