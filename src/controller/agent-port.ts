/** The port that agents dial: TLS with a certificate on both sides, and a session for each of them. */
import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:tls'
import { AgentSession, type SessionOptions } from '#controller/agent-session.ts'
import { peerTlsOptions } from '#std/peer-tls.ts'
import type { Certificate } from '#std/self-signed-certificate.ts'

export interface AgentPortOptions extends Omit<SessionOptions, 'socket'> {
  readonly certificate: Certificate
  readonly host: string
  /** 0 takes any. */
  readonly port: number
}

/** Who says nothing within this, connected to the port of agents, speaks no TLS. */
const handshakeMsMax = 10_000

/** What is being said when the controller closes is a line; after this nobody is waited for. */
const closeMsMax = 500

export class AgentPort {
  readonly #options: AgentPortOptions
  readonly #sessions = new Set<AgentSession>()
  readonly #connections = new Set<Socket>()
  readonly #server

  constructor(options: AgentPortOptions) {
    this.#options = options
    this.#server = createServer(
      { ...peerTlsOptions(options.certificate), handshakeTimeout: handshakeMsMax },
      (socket) => {
        const session = new AgentSession({
          ...options,
          socket,
          onClose: (from) => {
            this.#sessions.delete(from)
            options.onClose(from)
          },
        })
        this.#sessions.add(session)
      },
    )
    this.#server.on('connection', (socket) => {
      this.#connections.add(socket)
      socket.once('close', () => this.#connections.delete(socket))
    })
    // A client that is no TLS client, or goes away in the handshake.
    this.#server.on('tlsClientError', () => {})
  }

  /** Rejects with the system's error when the address cannot be had. */
  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#options.port, this.#options.host, () => {
        this.#server.off('error', reject)
        this.#server.on('error', (error) => this.#options.onFault(error))
        resolve()
      })
    })
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const session of this.#sessions) session.end()
    const cancel = this.#options.clock.schedule(closeMsMax, () => {
      for (const socket of this.#connections) socket.destroy()
    })
    await closed
    cancel()
  }
}
