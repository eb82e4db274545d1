/**
 * The only way in to the engines of a node, which listen on its loopback: a TLS port that passes
 * requests on to replicas, for whoever proves to be the controller of this node, and for nobody else.
 */
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { peerFingerprint, peerTlsOptions } from '#std/peer-tls.ts'
import type { Certificate } from '#std/self-signed-certificate.ts'

export interface IngressOptions {
  readonly certificate: Certificate
  readonly host: string
  readonly port: number
  /** Of the one who may come in; null while there is none. */
  readonly allowedFingerprint: () => string | null
  /** Where the engine of a replica listens; null when it does not run. */
  readonly portOf: (replica: string) => number | null
}

export interface Ingress {
  readonly port: number
  close(): Promise<void>
}

/** Rejects with the system's error when the address cannot be had. */
export function openIngress(options: IngressOptions): Promise<Ingress> {
  const server = createServer(peerTlsOptions(options.certificate), (request, response) =>
    relay(options, request, response),
  )
  server.requestTimeout = 0
  server.on('secureConnection', (socket: TLSSocket) => {
    const allowed = options.allowedFingerprint()
    // Before a byte of a request is read.
    if (allowed === null || peerFingerprint(socket) !== allowed) socket.destroy()
  })
  server.on('tlsClientError', () => {})
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, () => {
      server.off('error', reject)
      resolve({
        port: (server.address() as AddressInfo).port,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed())
            server.closeAllConnections()
          }),
      })
    })
  })
}

/** /replicas/<id>/<path of the engine> */
const replicaPath = /^\/replicas\/([^/?]+)(\/.*)$/

function relay(options: IngressOptions, request: IncomingMessage, response: ServerResponse): void {
  const [, id, path] = replicaPath.exec(request.url ?? '') ?? []
  const port = id === undefined ? null : options.portOf(id)
  if (port === null || path === undefined) {
    response.writeHead(port === null && id !== undefined ? 503 : 404, {
      'content-type': 'application/json',
    })
    response.end(JSON.stringify({ error: { message: `No replica runs at ${request.url}.` } }))
    return
  }
  const { host: _host, ...headers } = request.headers
  const onward = httpRequest({
    host: '127.0.0.1',
    port,
    path,
    method: request.method,
    headers: { ...headers, host: `127.0.0.1:${port}` },
    setHost: false,
  })
  onward.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
    response.flushHeaders()
    answer.pipe(response)
    // An answer that broke off must not look whole.
    answer.once('close', () => {
      if (!answer.complete) response.destroy()
    })
  })
  onward.on('error', () => {
    if (response.headersSent) response.destroy()
    else {
      response.writeHead(502, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ error: { message: 'The engine does not answer.' } }))
    }
  })
  response.once('close', () => {
    if (!response.writableFinished) onward.destroy()
  })
  request.pipe(onward)
}
