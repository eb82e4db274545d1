import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/**
 * The listening socket, which can be closed and opened again on the same port while the emulator
 * lives: that is what loading and being dead look like from outside.
 */
export class Listener {
  readonly #handle: RequestListener
  readonly #host: string
  readonly #sockets = new Set<Socket>()
  #port: number
  #server: Server | null = null

  constructor(host: string, port: number, handle: RequestListener) {
    this.#host = host
    this.#port = port
    this.#handle = handle
  }

  get port(): number {
    return this.#port
  }

  get openSockets(): number {
    return this.#sockets.size
  }

  /** Resolves when connections are taken; rejects when the port is not to be had. */
  open(): Promise<void> {
    if (this.#server !== null) return Promise.resolve()
    // Node's own keep-alive timeout would tell clients of itself in a header; no engine does.
    const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, this.#handle)
    this.#server = server
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#port, this.#host, () => {
        server.off('error', reject)
        this.#port = (server.address() as AddressInfo).port
        resolve()
      })
    })
  }

  /** Stops listening and ends every connection. `reset` leaves them as a killed process would. */
  shut(how: 'reset' | 'close'): Promise<void> {
    const server = this.#server
    if (server === null) return Promise.resolve()
    this.#server = null
    return new Promise((resolve) => {
      // Sockets go first: the server would close the idle ones itself, with FIN.
      for (const socket of this.#sockets) {
        if (how === 'reset') socket.resetAndDestroy()
        else socket.destroy()
      }
      server.close(() => resolve())
    })
  }
}
