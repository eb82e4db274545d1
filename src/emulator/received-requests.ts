import type { IncomingMessage } from 'node:http'

export interface ReceivedRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Empty when it was larger than a test would look at. */
  readonly body: Buffer
}

/** Enough for a test to look back on; a benchmark must not fill the memory with its requests. */
const receivedMax = 200
const bodyBytesMax = 256 * 1024

/** The latest requests, for tests that ask what an engine was sent. */
export class ReceivedRequests {
  #list: ReceivedRequest[] = []

  add({ method = '', url = '', headers }: IncomingMessage, body: Buffer): void {
    this.#list.push({
      method,
      path: url,
      headers,
      body: body.length > bodyBytesMax ? Buffer.alloc(0) : body,
    })
    // Trimmed rarely: taking one away each time would move the whole list for every request.
    if (this.#list.length >= receivedMax * 2) this.#list = this.#list.slice(-receivedMax)
  }

  /** Oldest first. */
  list(): readonly ReceivedRequest[] {
    return this.#list.slice(-receivedMax)
  }
}
