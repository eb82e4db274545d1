/** Who may join a fleet, reach its engines, or be taken for its controller: over real sockets. */
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import {
  type AddressInfo,
  connect as connectPlain,
  createServer as createTcpServer,
} from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { expect, test } from 'vitest'
import type { LinkOptions } from '#agent/controller-link.ts'
import { watchEndpoints } from '#agent/endpoint-watcher.ts'
import { type Ingress, openIngress } from '#agent/ingress.ts'
import { Controller } from '#controller/controller.ts'
import { EventStore } from '#controller/event-store.ts'
import { motleyConfig } from '#core/config/document.ts'
import { type EndpointConfig, endpointConfig } from '#core/config/endpoints.ts'
import { startGateway } from '#gateway/gateway.ts'
import type { AgentPeer } from '#protocol/agent-messages.ts'
import type { EndpointReport } from '#protocol/endpoint-report.ts'
import { systemClock } from '#std/clock.ts'
import { peerTlsOptions } from '#std/peer-tls.ts'
import type { Certificate } from '#std/self-signed-certificate.ts'
import { HeldClock } from '#testing/held-clock.ts'
import { afterTest } from './harness/after-test.ts'
import { chat, engine } from './harness/fleet.ts'
import {
  bareClient,
  certificateOf,
  controllerIn,
  helloWith,
  linkTo,
  temporaryFolder,
} from './harness/join.ts'
import { untilTrue } from './harness/until-true.ts'

const nodeNames = (controller: Controller) => controller.nodes().map(({ name }) => name)

test('a machine with a token joins, and comes back without one', async () => {
  const { controller, token } = await controllerIn()
  const first = await linkTo(controller.port, { token: token().secret })
  await first.until(/^welcome/)
  expect(nodeNames(controller)).toEqual(['agent'])
  first.close()
  const again = await linkTo(controller.port, { hasJoined: true })
  await again.until(/^welcome/)
  expect(nodeNames(controller)).toEqual(['agent'])
})

test('a wrong, used or expired token lets nobody in, and the agent hears why', async () => {
  const clock = new HeldClock()
  const { controller, token } = await controllerIn(temporaryFolder(), clock)
  const used = token().secret
  await (await linkTo(controller.port, { token: used })).until(/^welcome/)
  const expired = token(1_000).secret
  clock.pass(1_000)
  token() // making another does not make the expired one unknown
  const tries = [
    { secret: null, refusal: /^refused not_joined: .*motley token create/ },
    { secret: `mt-${'x'.repeat(32)}`, refusal: /^refused token_unknown: .*motley token create/ },
    { secret: used, refusal: /^refused token_used: .*lets one machine in/ },
    { secret: expired, refusal: /^refused token_expired: / },
  ]
  for (const { secret, refusal } of tries) {
    const stranger = await linkTo(controller.port, { token: secret, identityOf: 'stranger' })
    await stranger.until(refusal)
  }
  expect(nodeNames(controller)).toEqual(['agent'])
})

test('a join that is replayed word for word by another machine is refused', async () => {
  const { controller, token } = await controllerIn()
  const hello = helloWith({ token: token().secret })
  const owner = await bareClient(controller.port, await certificateOf('agent'))
  owner.socket.write(hello)
  await untilTrue('the owner is in', () => controller.nodes().length === 1)
  const thief = await bareClient(controller.port, await certificateOf('stranger'))
  thief.socket.write(hello)
  await thief.closed
  const nobody = await bareClient(controller.port, null)
  nobody.socket.write(hello)
  await nobody.closed
  expect([thief.heard, nobody.heard]).toMatchObject([
    [{ type: 'refused', code: 'token_used' }],
    [{ type: 'refused', code: 'not_joined' }],
  ])
  expect(controller.nodes()).toHaveLength(1)
})

test('a revoked agent is cut off at once, and stays out even with a new token', async () => {
  const { controller, token } = await controllerIn()
  const agent = await linkTo(controller.port, { token: token().secret })
  await agent.until(/^welcome/)
  controller.revoke('agent')
  await agent.until(/^refused revoked: /)
  const again = await linkTo(controller.port, { token: token().secret, hasJoined: true })
  await again.until(/^refused revoked: .*identity\.json/)
  expect(controller.nodes()).toEqual([])
})

test('a name is given once, and is free again when its node is revoked', async () => {
  const { controller, token } = await controllerIn()
  await (await linkTo(controller.port, { token: token().secret })).until(/^welcome/)
  const { secret } = token()
  const options = { identityOf: 'stranger', name: 'agent' }
  const second = await linkTo(controller.port, { ...options, token: secret })
  await second.until(/^refused name_taken: .*--name/)
  controller.revoke('agent')
  // The refusal has not used up the token.
  await (await linkTo(controller.port, { ...options, token: secret })).until(/^welcome/)
  expect(nodeNames(controller)).toEqual(['agent'])
})

/** Answers TLS with a certificate of its own, and keeps every byte that it is told in confidence. */
async function manInTheMiddle(certificate: Certificate) {
  const heard: Buffer[] = []
  let connections = 0
  const server = createTlsServer(peerTlsOptions(certificate), (socket) => {
    socket.on('data', (piece: Buffer) => heard.push(piece))
    socket.on('error', () => {})
  })
  server.on('connection', () => connections++)
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterTest(() => server.close())
  const { port } = server.address() as AddressInfo
  return { port, heard: () => Buffer.concat(heard).toString(), connections: () => connections }
}

test('what answers with another certificate than the token names is told nothing', async () => {
  const middle = await manInTheMiddle(await certificateOf('stranger'))
  const joining = await linkTo(middle.port, { token: `mt-${'s'.repeat(32)}` })
  await joining.until(/^refused wrong-certificate: .*certificate is another/)
  expect([middle.connections(), middle.heard()]).toEqual([1, ''])
})

test('an agent that has joined waits for its own controller to answer again', async () => {
  const { controller, token } = await controllerIn()
  const { port } = controller
  const joined = await linkTo(port, { token: token().secret })
  await joined.until(/^welcome/)
  joined.close()
  const middle = await manInTheMiddle(await certificateOf('stranger'))
  // Who is reached through the same address changes, as when somebody takes it over.
  let target = middle.port
  const road = createTcpServer((from) => {
    const to = connectPlain(target, '127.0.0.1')
    from.on('error', () => to.destroy())
    to.on('error', () => from.destroy())
    from.pipe(to).pipe(from)
  })
  await new Promise<void>((resolve) => road.listen(0, '127.0.0.1', resolve))
  afterTest(() => road.close())
  const clock = new HeldClock()
  const agent = await linkTo((road.address() as AddressInfo).port, { hasJoined: true, clock })
  await agent.until(/^log the controller refuses: .*certificate is another/)
  target = port
  await untilTrue('it dials again', () => {
    clock.pass(100)
    return agent.story.includes('welcome agent')
  })
  expect(middle.heard()).toBe('')
})

test('two agents with one identity do not throw each other out: the first stays', async () => {
  const clock = new HeldClock()
  const { controller, token, log } = await controllerIn(temporaryFolder(), clock)
  const first = await linkTo(controller.port, { token: token().secret, clock: new HeldClock() })
  await first.until(/^desired/)
  const copy = await linkTo(controller.port, { hasJoined: true, clock: new HeldClock() })
  await copy.until(/^log the controller refuses: .*identity\.json/)
  expect(first.story).toEqual(['welcome agent', 'desired '])
  expect(log.at(-1)).toBe('node "agent" is there twice: from 127.0.0.1, and refused from 127.0.0.1')
  // The first may also be gone without a word, as when its machine lost power.
  clock.pass(15_000)
  const restarted = await linkTo(controller.port, { hasJoined: true })
  await restarted.until(/^welcome/)
})

test('what speaks no TLS at all is hung up on', async () => {
  const { controller, token } = await controllerIn()
  for (const sent of [helloWith({ token: token().secret }), Buffer.alloc(100_000, 0x16)]) {
    const socket = connectPlain(controller.port, '127.0.0.1')
    afterTest(() => socket.destroy())
    socket.on('error', () => {})
    socket.write(sent)
    socket.resume()
    await new Promise((resolve) => socket.once('close', resolve))
  }
  await (await linkTo(controller.port, { token: token().secret })).until(/^welcome/)
})

const deep = `{"type":"inventory","inventory":{"devices":[],"deep":${'['.repeat(500_000)}${']'.repeat(500_000)}}}\n`

test.each([
  { name: 'bytes that are no JSON', sent: Buffer.from([0, 1, 255, 254, 10]) },
  { name: 'a request of HTTP', sent: 'GET / HTTP/1.1\r\nhost: x\r\n\r\n' },
  { name: 'JSON that is no message', sent: '[1, 2]\n"hello"\n' },
  { name: 'a message before the hello', sent: '{"type":"heartbeat"}\n' },
  { name: 'a hello of another protocol', sent: helloWith({ protocols: [99] }) },
  { name: 'a hello that lacks a field', sent: helloWith({ ingress: undefined }) },
  { name: 'a name that writes to terminals', sent: helloWith({ name: '\x1b[2Jgone' }) },
  { name: 'an address that is none', sent: helloWith({ ingress: { host: 'a b', port: 1 } }) },
  { name: 'a line that does not end', sent: `{"type":"${'x'.repeat(20_000)}` },
])('before it is known who it is, $name ends the connection alone', async ({ sent }) => {
  const { controller, token } = await controllerIn()
  const client = await bareClient(controller.port, await certificateOf('stranger'))
  client.socket.write(sent)
  await client.closed
  expect(client.heard).toMatchObject([{ type: 'refused' }])
  await (await linkTo(controller.port, { token: token().secret })).until(/^welcome/)
})

test.each([
  { name: 'a message without a kind', sent: '{"kind":"reboot"}\n' },
  { name: 'an inventory without devices', sent: '{"type":"inventory","inventory":{}}\n' },
  { name: 'an inventory that is too deep to be written', sent: deep },
  { name: 'a line of more than 4 MiB', sent: `"${'x'.repeat(5 * 2 ** 20)}` },
])('from an agent that has joined, $name ends its connection alone', async ({ sent }) => {
  const { controller, token } = await controllerIn()
  await (await linkTo(controller.port, { token: token().secret })).until(/^welcome/)
  const bad = await bareClient(controller.port, await certificateOf('stranger'))
  bad.socket.write(helloWith({ token: token().secret }))
  await untilTrue('it is in', () => controller.nodes().length === 2)
  bad.socket.write(sent)
  await bad.closed
  expect(bad.heard.at(-1)).toMatchObject({ type: 'refused' })
  expect(controller.nodes().map(({ presence }) => presence)).toEqual(['ready', 'ready'])
})

test('who connects and says no hello within 10 s is sent away, and is not heard after that', async () => {
  const clock = new HeldClock()
  const { controller, token } = await controllerIn(temporaryFolder(), clock)
  const client = await bareClient(controller.port, await certificateOf('agent'))
  const hello = helloWith({ token: token().secret })
  client.socket.write(hello.slice(0, 20))
  await untilTrue('the controller has taken it', () => clock.dueInMs.includes(10_000))
  clock.pass(9_999)
  expect(client.heard).toEqual([])
  clock.pass(1)
  client.socket.write(hello.slice(20))
  await client.closed
  expect(client.heard).toMatchObject([{ type: 'refused', code: 'malformed' }])
  expect(controller.nodes()).toEqual([])
})

test('a connection that says nothing at all does not keep the controller from ending', async () => {
  const clock = new HeldClock()
  const { controller } = await controllerIn(temporaryFolder(), clock)
  const idle = connectPlain(controller.port, '127.0.0.1')
  afterTest(() => idle.destroy())
  await once(idle, 'connect')
  const welcomeMs = await untilTrue('it was accepted', () => idle.readyState === 'open')
  expect(welcomeMs).toBeLessThan(1_000)
  const closed = controller.close()
  clock.pass(500)
  await closed
})

test('a controller that cannot write refuses for now, and the agent tries again', async () => {
  const store = new EventStore(temporaryFolder())
  const log: string[] = []
  const certificate = await certificateOf('controller')
  const controller = new Controller(
    {
      directory: '',
      certificate,
      host: '127.0.0.1',
      port: 0,
      clock: systemClock,
      log: (line) => log.push(line),
    },
    store,
  )
  await controller.listen()
  afterTest(() => controller.close().catch(() => {}))
  const { token } = controller.createToken(60_000)
  store.close() // whatever it writes to is gone
  const agent = await linkTo(controller.port, { token: token.split('.')[0] ?? '' })
  await agent.until(/^log the controller refuses: .*cannot be written.*Trying again/)
  expect(log.at(-1)).toMatch(/controller\.sqlite cannot be written/)
})

/** An engine on the loopback that counts what reaches it, and the ingress in front of it. */
async function nodeWithEngine() {
  const paths: string[] = []
  const server = createHttpServer((request, response) => {
    paths.push(request.url ?? '')
    response.end('{"object":"list","data":[{"id":"tiny"}]}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterTest(() => server.close())
  const enginePort = (server.address() as AddressInfo).port
  const ingress = await openIngress({
    certificate: await certificateOf('agent'),
    host: '127.0.0.1',
    port: 0,
    mayReach: (fingerprint) => (fingerprint === controllerFingerprint ? 'everything' : null),
    answerWeights: async () => false,
    portOf: (replica) => (replica === 'tiny' ? enginePort : null),
    attachedPortOf: () => null,
  })
  const controllerFingerprint = (await certificateOf('controller')).fingerprint
  afterTest(() => ingress.close())
  return { ingress, enginePort, paths }
}

/** All that comes back for a request that is sent with the last bytes of the handshake. */
function askIngress({ port }: Ingress, certificate: Certificate | null): Promise<string> {
  return new Promise((resolve) => {
    const shown = certificate === null ? {} : peerTlsOptions(certificate)
    const socket = connectTls({ ...shown, host: '127.0.0.1', port, rejectUnauthorized: false })
    let text = ''
    // Written before it is connected: it leaves at the first moment that it may.
    socket.write('GET /replicas/tiny/v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    socket.on('data', (piece) => {
      text += piece
    })
    socket.on('error', () => {})
    socket.once('close', () => resolve(text))
    afterTest(() => socket.destroy())
  })
}

test('the port of an agent lets its controller in, and no other certificate, nor none', async () => {
  const { ingress, paths } = await nodeWithEngine()
  const [none, another, own, right] = await Promise.all([
    askIngress(ingress, null),
    askIngress(ingress, await certificateOf('stranger')),
    // Its own would be a way in for whoever reads the identity of one node.
    askIngress(ingress, await certificateOf('agent')),
    askIngress(ingress, await certificateOf('controller')),
  ])
  expect([none, another, own]).toEqual(['', '', ''])
  expect(right).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  expect(paths).toEqual(['/v1/models'])
})

test('an engine is not reached but through the port of its agent', async () => {
  const { url } = await engine()
  const { port } = new URL(url)
  // The loopback network has more addresses than the one that engines listen on.
  const socket = connectPlain(Number(port), '127.0.0.2')
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
  expect(error.code).toBe('ECONNREFUSED')
})

async function endpointBehind(port: number, fingerprint: string): Promise<EndpointConfig> {
  return {
    ...endpointConfig.parse({
      url: `https://127.0.0.1:${port}/replicas/tiny`,
      name: 'tiny-1',
      engine: 'openai',
      models: ['tiny'],
      health: { intervalMs: 100, timeoutMs: 500 },
    }),
    peer: { own: await certificateOf('controller'), fingerprint },
  }
}

test('gateway and watcher say nothing to a port with the wrong certificate', async () => {
  const middle = await manInTheMiddle(await certificateOf('stranger'))
  const expected = (await certificateOf('agent')).fingerprint
  const endpoint = await endpointBehind(middle.port, expected)
  const config = {
    ...motleyConfig.parse({ gateway: { listen: '127.0.0.1:0', accessLog: 'off' } }),
    endpoints: [endpoint],
  }
  const gateway = await startGateway({ config, log: () => {}, version: 'test' })
  afterTest(() => gateway.close())
  const asked = await chat(gateway.url, {
    model: 'tiny',
    messages: [{ role: 'user', content: 'secret' }],
  })
  await asked.text()
  const reports: EndpointReport[] = []
  const watcher = watchEndpoints({
    endpoints: [endpoint],
    report: (report) => reports.push(report),
  })
  afterTest(() => watcher.close())
  await untilTrue('it was checked', () => reports.length > 0)
  expect(asked.status).toBeGreaterThanOrEqual(500)
  expect(reports[0]?.check).toMatchObject({
    verdict: 'unhealthy',
    detail: expect.stringMatching(/CERT_FINGERPRINT/),
  })
  expect(middle.connections()).toBeGreaterThanOrEqual(2)
  expect(middle.heard()).toBe('')
})

test('gateway and watcher reach a replica through the port of its agent', async () => {
  const { ingress, paths } = await nodeWithEngine()
  const endpoint = await endpointBehind(ingress.port, (await certificateOf('agent')).fingerprint)
  const reports: EndpointReport[] = []
  const watcher = watchEndpoints({
    endpoints: [endpoint],
    report: (report) => reports.push(report),
  })
  afterTest(() => watcher.close())
  await untilTrue('it is ready', () => reports.at(-1)?.check.verdict === 'ready')
  expect(paths[0]).toBe('/v1/models')
})

test('each node is told of the others: when they come, when one is revoked, and not when one returns', async () => {
  const { controller, token } = await controllerIn()
  const told: Record<string, string[]> = { a: [], b: [], c: [] }
  const names = new Map<string, string>()
  const connect = async (name: string, more: Partial<LinkOptions>) => {
    names.set((await certificateOf(name)).fingerprint, name)
    const ingress = { host: '10.0.0.1', port: 7000 + name.charCodeAt(0) }
    const onPeers = (peers: readonly AgentPeer[]) => {
      told[name]?.push(peers.map(({ fingerprint }) => names.get(fingerprint)).join(''))
    }
    return await linkTo(controller.port, { identityOf: name, ingress, onPeers, ...more })
  }
  const links = []
  for (const name of ['a', 'b', 'c']) links.push(await connect(name, { token: token().secret }))
  const last = () => Object.values(told).map((lists) => lists.at(-1))
  await untilTrue('all know the others', () => last().join() === 'bc,ac,ab', { seen: () => told })

  const [a = [], b = [], c = []] = Object.values(told)
  const counts = [b.length, c.length]
  links[0]?.close()
  a.length = 0
  await connect('a', { hasJoined: true })
  await untilTrue('it knows them again', () => a.at(-1) === 'bc')
  controller.revoke('a')
  await untilTrue('it is gone for the others', () => b.at(-1) === 'c' && c.at(-1) === 'b')
  expect([b.length, c.length]).toEqual(counts.map((count) => count + 1))
})
