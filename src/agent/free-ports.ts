/** Ports of this machine for engines: none is given to two of them. */
import { createServer } from 'node:net'

/**
 * Between the choice of a port and an engine that listens there, the system takes it for free. Far
 * more than are ever being started at once, and far fewer than there are.
 */
const rememberedMax = 1_000

export class FreePorts {
  readonly #isUsed: (port: number) => boolean
  readonly #systemPort: () => Promise<number>
  /** The newest last. */
  readonly #given = new Set<number>()

  /** `isUsed`: whether a replica has the port, running or not. */
  constructor(isUsed: (port: number) => boolean, systemPort = freeSystemPort) {
    this.#isUsed = isUsed
    this.#systemPort = systemPort
  }

  /** Rejects with the system's error when there is none. */
  async next(): Promise<number> {
    for (;;) {
      const port = await this.#systemPort()
      if (this.#given.has(port) || this.#isUsed(port)) continue
      this.#given.add(port)
      for (const oldest of this.#given) {
        if (this.#given.size <= rememberedMax) break
        this.#given.delete(oldest)
      }
      return port
    }
  }
}

function freeSystemPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
