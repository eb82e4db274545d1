/**
 * The only way in to the engines of a node, which listen on its loopback: a TLS port that passes
 * requests on to replicas, for whoever proves to be the controller of this node. Other nodes of the
 * fleet may take weights, and nobody else comes in.
 */
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { peerFingerprint, peerTlsOptions } from '#std/peer-tls.ts'
import type { Certificate } from '#std/self-signed-certificate.ts'

export interface IngressOptions {
  readonly certificate: Certificate
  readonly host: string
  readonly port: number
  /** What the owner of this certificate may reach; null for nothing. */
  readonly mayReach: (fingerprint: string | null) => 'everything' | 'weights' | null
  /** Answers a request for weights; resolves with false when it is not about weights. */
  readonly answerWeights: (request: IncomingMessage, response: ServerResponse) => Promise<boolean>
  /** Where the engine of a replica listens; null when it does not run. */
  readonly portOf: (replica: string) => number | null
  /** Where an engine listens that is attached under this name; null when none is. */
  readonly attachedPortOf: (id: string) => number | null
}

export interface Ingress {
  readonly port: number
  /** Resolves when no request of a replica is under way, or the signal aborts. */
  untilIdle(replica: string, signal: AbortSignal): Promise<void>
  /** Breaks what is under way. */
  close(): Promise<void>
}

/** Who says nothing within this, connected to this port, speaks no TLS. */
const handshakeMsMax = 10_000

/** Rejects with the system's error when the address cannot be had. */
export function openIngress(options: IngressOptions): Promise<Ingress> {
  const underWay = new UnderWay()
  const server = createServer(
    { ...peerTlsOptions(options.certificate), handshakeTimeout: handshakeMsMax },
    (request, response) => void answer(options, underWay, request, response),
  )
  server.requestTimeout = 0
  const connections = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
  server.on('secureConnection', (socket: TLSSocket) => {
    // Before a byte of a request is read.
    if (options.mayReach(peerFingerprint(socket)) === null) socket.destroy()
  })
  server.on('tlsClientError', () => {})
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, () => {
      server.off('error', reject)
      resolve({
        port: (server.address() as AddressInfo).port,
        untilIdle: (replica, signal) => underWay.untilNone(replica, signal),
        close: () =>
          new Promise((closed) => {
            server.close(() => closed())
            // Those in the handshake, too.
            for (const socket of connections) socket.destroy()
          }),
      })
    })
  })
}

/** Counts the requests of each replica, for those who wait until it has none. */
class UnderWay {
  readonly #counts = new Map<string, number>()
  readonly #waiting = new Set<() => void>()

  begin(replica: string): void {
    this.#counts.set(replica, (this.#counts.get(replica) ?? 0) + 1)
  }

  end(replica: string): void {
    const left = (this.#counts.get(replica) ?? 1) - 1
    if (left > 0) this.#counts.set(replica, left)
    else this.#counts.delete(replica)
    for (const look of this.#waiting) look()
  }

  untilNone(replica: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.#counts.has(replica) && !signal.aborted) return
        this.#waiting.delete(look)
        signal.removeEventListener('abort', look)
        resolve()
      }
      this.#waiting.add(look)
      signal.addEventListener('abort', look)
      look()
    })
  }
}

async function answer(
  options: IngressOptions,
  underWay: UnderWay,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const who = options.mayReach(peerFingerprint(request.socket as TLSSocket))
  try {
    if (who !== null && (await options.answerWeights(request, response))) return
  } catch {
    // A file that cannot be read: the other side finds another source.
    response.destroy()
    return
  }
  if (who === 'everything') relay(options, underWay, request, response)
  else refuse(request, response, 403, 'Nodes may take weights from each other, and nothing else.')
}

/** /replicas/<id>/<path of the engine>, and the same for what is attached */
const enginePath = /^\/(replicas|attached)\/([^/?]+)(\/.*)$/

function relay(
  options: IngressOptions,
  underWay: UnderWay,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const [, kind, id, path] = enginePath.exec(request.url ?? '') ?? []
  if (id === undefined || path === undefined) {
    refuse(request, response, 404, 'Engines are reached at /replicas/<id>/…')
    return
  }
  const isAttached = kind === 'attached'
  const port = isAttached ? options.attachedPortOf(id) : options.portOf(id)
  if (port === null) {
    const what = isAttached
      ? `No engine is attached as "${id}" here.`
      : `No replica "${id}" runs here.`
    refuse(request, response, 503, what)
    return
  }
  // Nobody waits for what is attached: its engine is not ours to end.
  if (!isAttached) {
    underWay.begin(id)
    response.once('close', () => underWay.end(id))
  }
  const onward = httpRequest({
    // A connection that is kept may be closed by the engine just as it is used again.
    agent: false,
    host: '127.0.0.1',
    port,
    path,
    method: request.method,
    headers: { ...endToEnd(request), host: `127.0.0.1:${port}` },
    setHost: false,
  })
  onward.on('response', (answer) => {
    try {
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEndList(answer))
    } catch {
      // A status or a header that Node reads and would not write.
      onward.destroy()
      refuse(request, response, 502, 'The engine answers with what is not HTTP.')
      return
    }
    response.flushHeaders()
    answer.pipe(response)
    // An answer that broke off must not look whole.
    answer.once('close', () => {
      if (!answer.complete) response.destroy()
    })
  })
  // An engine that switches protocols was not asked to.
  onward.on('upgrade', (_answer, socket) => {
    socket.destroy()
    refuse(request, response, 502, 'The engine answers with another protocol.')
  })
  onward.on('error', () => {
    if (response.headersSent) response.destroy()
    else refuse(request, response, 502, 'The engine does not answer.')
  })
  response.once('close', () => {
    if (!response.writableFinished) onward.destroy()
  })
  request.pipe(onward)
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  message: string,
): void {
  // What is left of its body would stand before the next request of the connection.
  request.unpipe()
  request.resume()
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ error: { message } }))
}

/** Headers that are about one connection: each of the two has its own (RFC 9110, 7.6.1). */
const perConnection: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

function isEndToEnd({ headers }: IncomingMessage): (name: string) => boolean {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase())
  return (name) => !perConnection.has(name.toLowerCase()) && !named.includes(name.toLowerCase())
}

function endToEnd(request: IncomingMessage): Record<string, string | readonly string[]> {
  const keeps = isEndToEnd(request)
  const kept = Object.entries(request.headersDistinct).flatMap(([name, values]) =>
    values !== undefined && keeps(name) && name !== 'host' ? [[name, values] as const] : [],
  )
  // Node would take the body of a DELETE, say, for none.
  const isChunked = request.headers['transfer-encoding'] !== undefined
  return { ...Object.fromEntries(kept), ...(isChunked ? { 'transfer-encoding': 'chunked' } : {}) }
}

/** As it came: names and values in turn, each as often as it was there. */
function endToEndList(answer: IncomingMessage): string[] {
  const keeps = isEndToEnd(answer)
  return answer.rawHeaders.filter((_text, at) => keeps(answer.rawHeaders[at - (at % 2)] ?? ''))
}
