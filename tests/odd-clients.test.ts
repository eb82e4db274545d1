/** Clients that do what few do, and that the rules of HTTP allow, or do not. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { afterTest } from './harness/after-test.ts'
import { chat, endpointsOf, engine, fleet, question } from './harness/fleet.ts'
import { chatBytes } from './harness/raw-http.ts'
import { answerChat, scriptedEngine } from './harness/scripted-engine.ts'
import { untilTrue } from './harness/until-true.ts'

const body = JSON.stringify(question)
const head = (more: string) =>
  `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n${more}\r\n`

/** Opens a connection, sends, and collects what comes back. */
function raw(url: string, text: string): { readonly socket: Socket; received: string } {
  const { hostname, port } = new URL(url)
  const client = { socket: connect(Number(port), hostname), received: '' }
  client.socket.on('data', (bytes) => {
    client.received += bytes.toString('latin1')
  })
  client.socket.on('error', () => {})
  client.socket.write(text)
  afterTest(() => client.socket.destroy())
  return client
}

test('a client that offers HTTP/2 over Upgrade, as Java does, is answered in HTTP/1.1', async () => {
  const engine = await scriptedEngine(({ response }) => answerChat(response))
  const { url } = await fleet({ endpoints: endpointsOf({ engine }) })
  const upgrade =
    'connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n'
  const client = raw(url, head(upgrade) + body)
  await untilTrue('the answer', () => client.received.includes('fine'))
  expect(client.received).toMatch(/^HTTP\/1\.1 200 OK/)
})

test('connections that offer Upgrade and break do not harm the gateway', async () => {
  const engine = await scriptedEngine(({ response }) => answerChat(response))
  const { url } = await fleet({ endpoints: endpointsOf({ engine }) })
  for (let count = 0; count < 300; count++) {
    const client = raw(
      url,
      'GET /health HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n',
    )
    await new Promise((resolve) => client.socket.once('connect', resolve))
    client.socket.resetAndDestroy()
  }
  expect((await chat(url)).status).toBe(200)
})

test('the absolute form of a target is understood', async () => {
  const { url } = await fleet({ endpoints: [] })
  const client = raw(url, 'GET http://any.name/health/live HTTP/1.1\r\nhost: any\r\n\r\n')
  await untilTrue('the answer', () => client.received.includes('alive'))
})

test('a request without Host is refused in JSON', async () => {
  const { url } = await fleet({ endpoints: [] })
  const client = raw(url, 'GET /health HTTP/1.1\r\n\r\n')
  await untilTrue('a refusal', () => client.received.includes('malformed_http'))
  expect(client.received).toMatch(/^HTTP\/1\.1 400/)
})

test('rubbish behind a good request costs it nothing', async () => {
  const engine = await scriptedEngine(({ response }) => {
    setTimeout(() => answerChat(response), 50)
  })
  const { url } = await fleet({ endpoints: endpointsOf({ engine }) })
  const client = raw(url, `${head('')}${body}RUBBISH\r\n\r\n`)
  await untilTrue('the end of the connection', () => client.socket.readyState === 'closed')
  expect(client.received).toMatch(/^HTTP\/1\.1 200 OK/)
  expect(client.received).toContain('fine')
})

test.each([0, 10, 100])(
  'a client that closes its sending side and leaves %d ms later is missed',
  async (gapMs) => {
    const engine = await scriptedEngine(() => {})
    const { url, gateway } = await fleet({ endpoints: endpointsOf({ engine }) })
    const client = raw(url, head('') + body)
    await untilTrue('the request at the engine', () => engine.received.length === 1)
    client.socket.end()
    setTimeout(() => client.socket.destroy(), gapMs)
    await untilTrue('nothing in flight', () => gateway.vitals.inFlight === 0)
  },
)

test('a client that never reads its whole answer is cut when the write-stall limit is over', async () => {
  const engine = await scriptedEngine(({ response }) => answerChat(response, 'x'.repeat(7_000_000)))
  const { url, gateway } = await fleet({
    gateway: { writeStallMs: 200 },
    endpoints: endpointsOf({ engine }),
  })
  const before = gateway.vitals.openConnections
  const client = raw(url, head('') + body)
  client.socket.pause()
  await untilTrue(
    'the answer under way',
    () => engine.received.length === 1 && gateway.vitals.inFlight === 0,
  )
  await untilTrue('the connection is gone', () => gateway.vitals.openConnections <= before)
  expect(client.received).toBe('')
})

test('the end of a drain waits for a client that is still reading, and for no idle one', async () => {
  const content = 'x'.repeat(6_000_000)
  const engine = await scriptedEngine(({ response }) => answerChat(response, content))
  const { url, gateway } = await fleet({
    gateway: { drainMs: 60_000 },
    endpoints: endpointsOf({ engine }),
  })
  raw(url, '')
  const client = raw(url, head('') + body)
  client.socket.pause()
  await untilTrue(
    'the answer under way',
    () => engine.received.length === 1 && gateway.vitals.inFlight === 0,
  )
  const drained = gateway.drain()
  client.socket.resume()
  await drained
  await untilTrue('the end of the connection', () => client.socket.readyState === 'closed')
  expect(client.received.length).toBeGreaterThan(content.length)
})

test('without keys, pages are not shown under a public name that somebody pointed here', async () => {
  const { url } = await fleet({ endpoints: [] })
  const port = new URL(url).port
  const client = raw(url, `GET /stats HTTP/1.1\r\nhost: evil.example:${port}\r\n\r\n`)
  await untilTrue('a refusal', () => client.received.includes('origin_not_allowed'))
  expect((await fetch(`${url}/stats`)).status).toBe(200)
})

/** The bodies of answers that came one after another on a connection, put together of their chunks. */
function chunkedBodies(bytes: Buffer): string[] {
  const bodies: string[] = []
  for (let at = 0; at < bytes.length; ) {
    at = bytes.indexOf('\r\n\r\n', at) + 4
    const chunks: Buffer[] = []
    for (let length = -1; length !== 0; ) {
      const sizeEnd = bytes.indexOf('\r\n', at)
      length = Number.parseInt(bytes.toString('latin1', at, sizeEnd), 16)
      const end = sizeEnd + 2 + length
      expect(bytes.toString('latin1', end, end + 2)).toBe('\r\n')
      chunks.push(bytes.subarray(sizeEnd + 2, end))
      at = end + 2
    }
    bodies.push(Buffer.concat(chunks).toString('utf8'))
  }
  return bodies
}

/** All that comes back until the gateway closes. */
async function wholeOf(url: string, text: string): Promise<Buffer> {
  const client = raw(url, text)
  await once(client.socket, 'close')
  return Buffer.from(client.received, 'latin1')
}

test('streams that were asked for before the one ahead had ended come whole, one after another', async () => {
  const only = await engine()
  const { url } = await fleet({ endpoints: endpointsOf({ only }) })
  const ask = { stream: true, messages: [{ role: 'user', content: 'Ça va ✓?' }] }
  const asked = [[], [], ['connection: close']].map((lines) => chatBytes(ask, lines)).join('')
  const bodies = chunkedBodies(await wholeOf(url, asked))
  expect(bodies).toHaveLength(3)
  for (const text of bodies) expect(text).toMatch(/^data: .*data: \[DONE\]\n\n$/s)
})

test('a client of HTTP/1.0 gets a stream without chunks, and the end of the connection as its end', async () => {
  const only = await engine()
  const { url } = await fleet({ endpoints: endpointsOf({ only }) })
  const asked = chatBytes({ stream: true }).replace('HTTP/1.1', 'HTTP/1.0')
  const answer = String(await wholeOf(url, asked))
  expect(answer).not.toMatch(/transfer-encoding/i)
  expect(answer).toMatch(/\r\n\r\ndata: .*data: \[DONE\]\n\n$/s)
})
