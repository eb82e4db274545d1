import type { Exchange } from '#emulator/exchange.ts'

/** `content` carries a piece of the answer and is what faults count; `done` is its last word. */
export type FrameKind = 'open' | 'content' | 'close' | 'done'

/** Where the frames of a stream go. Frames of one moment leave together at `flush`. */
export interface FrameSink {
  /** Sends the headers now; otherwise they leave with the first frame. */
  start(): void
  send(kind: FrameKind, frame: string): void
  flush(): void
  end(): void
}

export function streamHeaders(exchange: Exchange, contentType: string): Record<string, string> {
  return {
    ...exchange.machine.headers,
    'content-type': contentType,
    'cache-control': 'no-cache',
  }
}

/** Frames as they come, as few writes as there are moments. */
export class PlainSink implements FrameSink {
  readonly #exchange: Exchange
  readonly #contentType: string
  #held = ''

  constructor(exchange: Exchange, contentType: string) {
    this.#exchange = exchange
    this.#contentType = contentType
  }

  start(): void {
    const { response } = this.#exchange
    if (response.headersSent || this.#exchange.isOver) return
    response.writeHead(200, streamHeaders(this.#exchange, this.#contentType))
    response.flushHeaders()
  }

  send(_kind: FrameKind, frame: string): void {
    this.#held += frame
  }

  flush(): void {
    const { response } = this.#exchange
    if (this.#held === '' || this.#exchange.isOver) return
    if (!response.headersSent) {
      response.writeHead(200, streamHeaders(this.#exchange, this.#contentType))
    }
    response.write(this.#held)
    this.#held = ''
  }

  end(): void {
    this.flush()
    if (!this.#exchange.isOver) this.#exchange.response.end()
  }
}
