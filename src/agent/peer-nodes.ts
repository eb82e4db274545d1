/**
 * The other nodes of the fleet, as this agent knows them from its controller: it takes weights that
 * they have, and lets them take its own, each side proving its certificate.
 */
import type { AgentPeer } from '#protocol/agent-messages.ts'
import type { Certificate } from '#std/self-signed-certificate.ts'
import { type HttpClient, openHttpClient } from '#weights/http-client.ts'

export class PeerNodes implements HttpClient {
  readonly #own: Certificate
  readonly #others: HttpClient
  #peers: readonly AgentPeer[] = []
  /** By fingerprint: connections to a peer are kept. */
  readonly #clients = new Map<string, HttpClient>()

  /** `others` asks everybody who is no peer. */
  constructor(own: Certificate, others: HttpClient) {
    this.#own = own
    this.#others = others
  }

  know(peers: readonly AgentPeer[]): void {
    this.#peers = peers
    for (const [fingerprint, client] of this.#clients) {
      if (this.knows(fingerprint)) continue
      this.#clients.delete(fingerprint)
      void client.close()
    }
  }

  knows(fingerprint: string): boolean {
    return this.#peers.some((peer) => peer.fingerprint === fingerprint)
  }

  get urls(): string[] {
    return this.#peers.map(({ url }) => url)
  }

  request(request: Parameters<HttpClient['request']>[0]): ReturnType<HttpClient['request']> {
    const peer = this.#peers.find(({ url }) => request.url.startsWith(`${url}/`))
    return (peer === undefined ? this.#others : this.#clientOf(peer)).request(request)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#clients.values()].map((client) => client.close()))
    this.#clients.clear()
  }

  #clientOf({ fingerprint }: AgentPeer): HttpClient {
    let client = this.#clients.get(fingerprint)
    if (client === undefined) {
      client = openHttpClient({ peer: { own: this.#own, fingerprint } })
      this.#clients.set(fingerprint, client)
    }
    return client
  }
}
