/**
 * The three things every small JSON server needs: read a body with a limit, answer JSON, and
 * send server-sent events. For the engines we run ourselves; the gateway's hot path has its own.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'

/** The body was longer than the limit that {@link readBody} was given. */
export class BodyTooLargeError extends Error {
  readonly limitBytes: number
  constructor(limitBytes: number) {
    super(`The request body is larger than ${limitBytes} bytes.`)
    this.limitBytes = limitBytes
  }
}

/**
 * Reads the whole body. Rejects with {@link BodyTooLargeError}, or with the socket's error. The
 * socket stays open after a body that is too large, so that the answer can say so.
 */
export async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let total = 0
  const parts = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>
  for await (const chunk of parts) {
    total += chunk.length
    if (total > limitBytes) throw new BodyTooLargeError(limitBytes)
    chunks.push(chunk)
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...headers,
  })
  response.end(text)
}

/** Headers of an event stream that no proxy on the way may hold back. */
export const eventStreamHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  'x-accel-buffering': 'no',
} as const

/** One `data:` event. Resolves when the reader has room again, or at once if it went away. */
export function sendEvent(response: ServerResponse, data: unknown): Promise<void> {
  const text = typeof data === 'string' ? data : JSON.stringify(data)
  return writeAll(response, `data: ${text}\n\n`)
}

/** Writes and waits for `drain` when the reader is slow; a reader that is gone never blocks. */
export function writeAll(response: ServerResponse, chunk: string | Uint8Array): Promise<void> {
  if (response.destroyed || response.write(chunk)) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
  })
}
