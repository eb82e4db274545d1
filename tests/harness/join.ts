/** A controller, links and bare TLS clients over real sockets, for tests of who may join. */
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { ControllerLink, type LinkOptions, type Refusal } from '#agent/controller-link.ts'
import { parseToken } from '#agent/parse-token.ts'
import { type Controller, startController } from '#controller/controller.ts'
import { type Clock, systemClock } from '#std/clock.ts'
import { JsonLineReader } from '#std/json-lines.ts'
import { peerTlsOptions } from '#std/peer-tls.ts'
import { type Certificate, makeCertificate } from '#std/self-signed-certificate.ts'
import { wishedReplica } from '#testing/wished-replica.ts'
import { afterTest } from './after-test.ts'
import { untilTrue } from './until-true.ts'

const made = new Map<string, Promise<Certificate>>()

/** Keys take a while to make: each name has one for all tests of a file. */
export function certificateOf(name: string): Promise<Certificate> {
  const known = made.get(name) ?? makeCertificate(name, Date.now())
  made.set(name, known)
  return known
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'motley-fleet-'))
  afterTest(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export interface TestController {
  readonly controller: Controller
  readonly directory: string
  readonly log: string[]
  /** The two parts of a new token. */
  token(validMs?: number): { readonly secret: string; readonly fingerprint: string }
}

export async function controllerIn(
  directory = temporaryFolder(),
  clock: Clock = systemClock,
  port = 0,
): Promise<TestController> {
  const log: string[] = []
  const controller = await startController({
    directory,
    certificate: await certificateOf('controller'),
    host: '127.0.0.1',
    port,
    clock,
    log: (line) => log.push(line),
  })
  afterTest(() => controller.close().catch(() => {}))
  const token = (validMs = 60_000) => {
    const parts = parseToken(controller.createToken(validMs).token)
    if (parts === null) throw new Error('a token that is no token')
    return parts
  }
  return { controller, directory, log, token }
}

export interface TestLink {
  readonly link: ControllerLink
  /** What happened, in words: "welcome", "refused token_used", "desired a,b", "log …". */
  readonly story: string[]
  until(what: RegExp): Promise<void>
  close(): void
}

/** The agent's side, as a machine would have it that has nothing to run. */
export async function linkTo(
  port: number,
  more: Partial<LinkOptions> & { readonly identityOf?: string } = {},
): Promise<TestLink> {
  const story: string[] = []
  const { identityOf = 'agent', ...options } = more
  const link = new ControllerLink({
    identity: { certificate: await certificateOf(identityOf), controller: null },
    controller: {
      host: '127.0.0.1',
      port,
      fingerprint: (await certificateOf('controller')).fingerprint,
    },
    token: null,
    hasJoined: false,
    joinWithinMs: 30_000,
    name: identityOf,
    version: 'test',
    ingress: { host: null, port: 7073 },
    clock: systemClock,
    chance: () => 0,
    onWelcome: (name) => story.push(`welcome ${name}`),
    onRefused: (code: Refusal, message) => story.push(`refused ${code}: ${message}`),
    onPeers: () => {},
    onDesired: (replicas) => story.push(`desired ${replicas.map(({ id }) => id).join(',')}`),
    onAttached: () => {},
    onAsk: async (what) => story.push(`ask ${what}`),
    log: (line) => story.push(`log ${line}`),
    ...options,
  })
  link.reportInventory({ devices: [] })
  afterTest(() => link.close())
  return {
    link,
    story,
    until: async (what) => {
      await untilTrue(String(what), () => story.some((line) => what.test(line)), {
        seen: () => story,
      })
    },
    close: () => link.close(),
  }
}

export interface BareClient {
  readonly socket: TLSSocket
  /** The JSON values that came. */
  readonly heard: unknown[]
  readonly closed: Promise<void>
}

/** TLS and nothing more: what is sent is the test's business. */
export function bareClient(port: number, certificate: Certificate | null): Promise<BareClient> {
  return new Promise((resolve, reject) => {
    const shown =
      certificate === null
        ? { rejectUnauthorized: false as const }
        : { ...peerTlsOptions(certificate) }
    const socket = connect({
      ...shown,
      host: '127.0.0.1',
      port,
      checkServerIdentity: () => undefined,
    })
    const heard: unknown[] = []
    const reader = new JsonLineReader(2 ** 24)
    socket.on('data', (piece: Buffer) => heard.push(...reader.push(piece)))
    const closed = new Promise<void>((over) => socket.once('close', () => over()))
    socket.on('error', reject)
    socket.once('secureConnect', () => resolve({ socket, heard, closed }))
    afterTest(() => socket.destroy())
  })
}

/** A hello as an agent says it, with changes. */
export function helloWith(changes: Readonly<Record<string, unknown>> = {}): string {
  const hello = {
    type: 'hello',
    protocols: [1],
    token: null,
    name: 'bare',
    version: 'test',
    instance: 'instance-of-bare',
    ingress: { host: null, port: 7073 },
    ...changes,
  }
  return `${JSON.stringify(hello)}\n`
}

/** What an agent meets that dials a controller of the test's making. */
export async function strangeController(onAgent: (socket: TLSSocket) => void): Promise<number> {
  const certificate = await certificateOf('controller')
  const sockets: TLSSocket[] = []
  const server = createServer(peerTlsOptions(certificate), (socket) => {
    socket.on('error', () => {})
    sockets.push(socket)
    onAgent(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterTest(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const { id: _, ...wanted } = wishedReplica('')

/** A wish that needs nothing but an id. */
export { wanted }
