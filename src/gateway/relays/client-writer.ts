/** What all relays do to the client's side: the status line, back-pressure, and the end. */
import type { ServerResponse } from 'node:http'
import { answerHeaders } from '#gateway/answer-headers.ts'
import type { RelayOptions } from '#gateway/relay.ts'

export class ClientWriter {
  readonly #response: ServerResponse
  readonly #options: RelayOptions
  #waiting = false
  readonly #onDrain = (): void => {
    this.#waiting = false
    this.#options.resume()
  }

  constructor(options: RelayOptions) {
    this.#options = options
    this.#response = options.exchange.response
  }

  begin(status: number, headers: readonly string[]): void {
    if (this.#response.headersSent) return
    this.#response.writeHead(status, [...headers, ...answerHeaders(this.#options.exchange)])
  }

  write(bytes: Buffer | string): void {
    this.#options.exchange.bytesOut += bytes.length
    if (this.#send(bytes) || this.#waiting) return
    this.#waiting = true
    this.#response.once('drain', this.#onDrain)
    this.#options.pause()
  }

  /**
   * Node hands a chunk to the system in four pieces: a small one is put together here, which takes
   * some five parts of a hundred off what an event of a stream costs.
   */
  #send(bytes: Buffer | string): boolean {
    const response = this.#response
    const { length } = bytes
    const isSmall = typeof bytes !== 'string' && length > 0 && length <= oneWriteBytesMax
    if (!isSmall || !response.chunkedEncoding || !response.headersSent) return response.write(bytes)
    const size = `${length.toString(16)}\r\n`
    const chunk = Buffer.allocUnsafe(size.length + length + 2)
    chunk.write(size, 'latin1')
    chunk.set(bytes, size.length)
    chunk[size.length + length] = carriageReturn
    chunk[size.length + length + 1] = lineFeed
    response.chunkedEncoding = false
    const mayGoOn = response.write(chunk)
    response.chunkedEncoding = true
    return mayGoOn
  }

  /** With `body`, if that is still to go out. */
  end(body?: Buffer): void {
    const response = this.#response
    if (body === undefined) {
      response.end()
    } else {
      this.#options.exchange.bytesOut += body.length
      // Node puts head and body into one write when the body is text; Latin-1 keeps every byte.
      if (body.length <= oneWriteBytesMax) response.end(body.toString('latin1'), 'latin1')
      else response.end(body)
    }
    // The endpoint is done, and nobody else watches a client that does not read the rest.
    if (response.writableLength > 0) response.setTimeout(this.#options.writeStallMs)
  }

  release(): void {
    if (this.#waiting) this.#response.off('drain', this.#onDrain)
  }
}

/** Beyond this, copying costs more than a second buffer in the same system call. */
const oneWriteBytesMax = 16 * 1024

const carriageReturn = 0x0d
const lineFeed = 0x0a

export function withoutNames(headers: readonly string[], names: readonly string[]): string[] {
  const kept: string[] = []
  for (let at = 0; at < headers.length; at += 2) {
    if (names.includes(headers[at] as string)) continue
    kept.push(headers[at] as string, headers[at + 1] as string)
  }
  return kept
}
