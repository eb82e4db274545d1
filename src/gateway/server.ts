/**
 * The listening socket: what is not well-formed HTTP ends here, and so do clients that are too slow
 * to be clients. Knows nothing of APIs; hands every request on.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net'
import { type ErrorCode, errorCatalog, MotleyError } from '#core/errors.ts'
import { sendError } from '#gateway/client-error.ts'
import { onHalfClose } from '#gateway/half-close.ts'
import { openAiErrorBody } from '#openai/error.ts'

/** Tools send their definitions in bodies; 32 KiB of headers is a mistake or an attack. */
const headerBytesMax = 32 * 1024

/** Headers that trickle in for longer are a slowloris. */
const headersTimeoutMs = 20_000

/** A body of 512 MB over 10 Mbit/s takes seven minutes. */
const requestTimeoutMs = 600_000

/** Longer than the idle limits of common clients, so that they, not we, close first. */
const keepAliveTimeoutMs = 75_000

export interface ListenOptions {
  readonly host: string
  readonly port: number
  /** What a client that closes only its sending side gets. */
  readonly halfClose: () => 'keep' | 'cancel'
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void
  /** Overrides for tests of slow clients. */
  readonly headersTimeoutMs?: number
  readonly requestTimeoutMs?: number
}

export interface Listener {
  readonly url: string
  /** Stops accepting; resolves when the last connection is closed. */
  stopAccepting(): Promise<void>
  /** Breaks every connection. */
  destroy(): void
  readonly openConnections: number
}

/** Rejects with the system's error when the address cannot be had. */
export function listen(options: ListenOptions): Promise<Listener> {
  const timeoutMs = options.headersTimeoutMs ?? headersTimeoutMs
  const server = createServer(
    {
      maxHeaderSize: headerBytesMax,
      headersTimeout: timeoutMs,
      requestTimeout: options.requestTimeoutMs ?? requestTimeoutMs,
      connectionsCheckingInterval: Math.min(5_000, timeoutMs, options.requestTimeoutMs ?? 5_000),
      keepAliveTimeout: keepAliveTimeoutMs,
      noDelay: true,
      insecureHTTPParser: false,
      // Refused by the pipeline, with a body that says so.
      requireHostHeader: false,
    },
    options.handle,
  )
  // Node ends a connection as soon as the client closes its sending side, answer or not. Some
  // clients do that after each request and still read; see `onHalfClose` for telling them apart.
  Object.assign(server, { httpAllowHalfOpen: true })
  const sockets: OpenSockets = new Map()
  server.on('connection', (socket) => {
    sockets.set(socket, null)
    socket.on('close', () => sockets.delete(socket))
    socket.on('end', () => onHalfClose(socket, sockets.get(socket) ?? null, options.halfClose()))
  })
  server.on('request', (request, response) => sockets.set(request.socket, response))
  server.on('checkContinue', (request, response) => {
    sockets.set(request.socket, response)
    options.handle(request, response)
  })
  server.on('checkExpectation', (_request, response) =>
    sendError(response, null, new MotleyError('expectation_failed'), ['connection', 'close']),
  )
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    refuseMalformed(error, socket as Socket, sockets.get(socket as Socket) ?? null)
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, () => {
      server.off('error', reject)
      resolve(listenerOf(server, sockets))
    })
  })
}

/** Every open connection, with the response that was begun on it last. */
type OpenSockets = Map<Socket, ServerResponse | null>

function listenerOf(server: Server, sockets: OpenSockets): Listener {
  const { address, port, family } = server.address() as AddressInfo
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    stopAccepting: () =>
      new Promise((resolve) => {
        // The close of http.Server takes a connection for idle while its client still reads.
        NetServer.prototype.close.call(server, () => resolve())
        for (const [socket, response] of sockets) {
          if (response === null || response.writableFinished) socket.destroySoon()
          else response.once('close', () => socket.destroySoon())
        }
      }),
    destroy: () => {
      for (const socket of sockets.keys()) socket.destroy()
    },
    get openConnections() {
      return sockets.size
    },
  }
}

function refuseMalformed(
  error: NodeJS.ErrnoException,
  socket: Socket,
  response: ServerResponse | null,
): void {
  if (response !== null && !response.writableEnded && response.req.complete) {
    // Rubbish behind a good request: that one gets its answer, and the connection ends with it.
    if (!response.headersSent) response.setHeader('connection', 'close')
    response.once('finish', () => socket.destroySoon())
    return
  }
  if (response?.headersSent === true && !response.writableEnded) {
    socket.destroy()
    return
  }
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    refuse(socket, 'headers_too_large')
  } else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    refuse(socket, 'request_timeout')
  } else {
    refuse(socket, 'malformed_http', `The request is not well-formed HTTP/1.1: ${reasonOf(error)}.`)
  }
}

function reasonOf(error: NodeJS.ErrnoException): string {
  const reason = (error as { reason?: unknown }).reason
  return typeof reason === 'string' ? reason : (error.code ?? 'it cannot be parsed')
}

const statusTexts: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
}

/** Answers on the bare socket: there is no request to answer. */
function refuse(socket: Socket, code: ErrorCode, message?: string): void {
  const { status, hint, message: ownMessage } = errorCatalog[code]
  const body = JSON.stringify(openAiErrorBody(status, `${message ?? ownMessage} ${hint}`, code))
  socket.end(
    `HTTP/1.1 ${status} ${statusTexts[status] ?? 'Error'}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroySoon(),
  )
}
