/**
 * The body of one request, kept so that it can be sent again: a request of one byte and one of
 * fifty megabytes fail over alike. What is longer than the memory limit lies in a temporary file.
 */
import { randomUUID } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { createBrotliDecompress, createUnzip, createZstdDecompress } from 'node:zlib'
import { MotleyError } from '#core/errors.ts'
import { type BodyText, bodyTextOf } from '#gateway/body-text.ts'
import { type Splice, spliceBytes } from '#std/splice-bytes.ts'

export interface BodyLimits {
  /** The most bytes, after decoding. */
  readonly maxBytes: number
  readonly memoryBytes: number
}

export class RequestBody {
  readonly length: number
  readonly #memory: Buffer | null
  readonly #file: FileHandle | null
  #splices: readonly Splice[] = []
  #text: BodyText | null = null

  constructor(memory: Buffer | null, file: FileHandle | null, length: number) {
    this.#memory = memory
    this.#file = file
    this.length = length
  }

  /** The bytes as they came. For a body in a file this reads all of it. */
  async bytes(): Promise<Buffer> {
    if (this.#memory !== null) return this.#memory
    const bytes = Buffer.allocUnsafe(this.length)
    await (this.#file as FileHandle).read(bytes, 0, this.length, 0)
    return bytes
  }

  /** The bytes when they are in memory, null when they are in a file. */
  get inMemory(): Buffer | null {
    return this.#memory
  }

  /** What of it is text; null for a body in a file. Measured once, for whoever asks. */
  get text(): BodyText | null {
    if (this.#memory !== null) this.#text ??= bodyTextOf(this.#memory)
    return this.#text
  }

  /** Replacements to make when sending; each call replaces those of the call before. */
  splice(splices: readonly Splice[]): void {
    this.#splices = [...splices].sort((left, right) => left.start - right.start)
  }

  get sentLength(): number {
    return this.#splices.reduce(
      (length, { start, end, text }) => length - (end - start) + Buffer.byteLength(text),
      this.length,
    )
  }

  /** What to send; may be called once for every attempt. */
  toSend(): Buffer | Readable {
    if (this.#memory !== null) return spliceBytes(this.#memory, this.#splices)
    return Readable.from(this.#pieces(), { objectMode: false })
  }

  /** Null where there is nothing to wait for. */
  dispose(): Promise<void> | null {
    return this.#file?.close() ?? null
  }

  async *#pieces(): AsyncGenerator<Buffer> {
    let at = 0
    for (const { start, end, text } of this.#splices) {
      yield* this.#range(at, start)
      yield Buffer.from(text)
      at = end
    }
    yield* this.#range(at, this.length)
  }

  async *#range(start: number, end: number): AsyncGenerator<Buffer> {
    for (let at = start; at < end; ) {
      const piece = Buffer.allocUnsafe(Math.min(64 * 1024, end - at))
      const { bytesRead } = await (this.#file as FileHandle).read(piece, 0, piece.length, at)
      if (bytesRead === 0) return
      yield piece.subarray(0, bytesRead)
      at += bytesRead
    }
  }
}

/**
 * Receives the whole body. `look` sees every piece as it goes by, decoded. Rejects with
 * `request_too_large`, `unsupported_encoding` or `invalid_request`, and with a {@link
 * ClientGoneError} when the client leaves before the end.
 */
export function receiveBody(
  request: IncomingMessage,
  limits: BodyLimits,
  look?: (piece: Buffer) => void,
): Promise<RequestBody> {
  return new Promise((resolve, reject) => {
    let pieces: Buffer[] = []
    let length = 0
    let spool: Promise<FileHandle> | null = null
    let written = Promise.resolve()
    const source = decoded(request, reject)
    if (source === null) return

    const discard = (): void => {
      // A file that could not be opened or written has nothing to close, and was told of already.
      written
        .then(() => spool)
        .then((file) => file?.close())
        .catch(() => {})
    }
    let over = false
    const fail = (error: unknown): void => {
      if (over) return
      over = true
      source.removeAllListeners('data')
      source.resume()
      discard()
      reject(error)
    }
    const done = (body: RequestBody): void => {
      over = true
      resolve(body)
    }
    const flush = (): void => {
      spool ??= openSpool()
      const toWrite = pieces
      pieces = []
      source.pause()
      written = written
        .then(async () => {
          const file = await (spool as Promise<FileHandle>)
          await file.appendFile(Buffer.concat(toWrite))
          source.resume()
        })
        .catch((error: unknown) => fail(spoolFailed(error)))
    }
    source.on('data', (piece: Buffer) => {
      length += piece.length
      if (length > limits.maxBytes) {
        fail(
          new MotleyError(
            'request_too_large',
            `The request body is larger than the ${limits.maxBytes} bytes that this path takes.`,
          ),
        )
        return
      }
      pieces.push(piece)
      look?.(piece)
      if (spool !== null || length > limits.memoryBytes) flush()
    })
    source.on('end', () => {
      if (spool === null) {
        const memory = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces)
        done(new RequestBody(memory, null, length))
      } else {
        const opened = spool
        written
          .then(() => opened)
          .then((file) => done(new RequestBody(null, file, length)))
          .catch((error: unknown) => fail(spoolFailed(error)))
      }
    })
    source.on('error', (error: Error) =>
      fail(
        source === request
          ? new ClientGoneError()
          : new MotleyError(
              'invalid_request',
              `The request body is not valid ${request.headers['content-encoding']}: ${error.message}.`,
            ),
      ),
    )
    request.on('close', () => {
      if (!request.readableEnded) fail(new ClientGoneError())
    })
  })
}

/** The client left before its request was whole; there is nobody to answer. */
export class ClientGoneError extends Error {}

function decoded(
  request: IncomingMessage,
  reject: (error: unknown) => void,
): (NodeJS.ReadableStream & Readable) | null {
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity'
  switch (encoding) {
    case 'identity':
    case '':
      return request
    case 'gzip':
    case 'x-gzip':
    case 'deflate':
      return request.pipe(createUnzip())
    case 'br':
      return request.pipe(createBrotliDecompress())
    case 'zstd':
      return request.pipe(createZstdDecompress())
    default:
      reject(
        new MotleyError(
          'unsupported_encoding',
          `Content-Encoding "${encoding.slice(0, 40)}" is not understood; send gzip, deflate, br, zstd or none.`,
        ),
      )
      return null
  }
}

function spoolFailed(error: unknown): MotleyError {
  const { code } = error as NodeJS.ErrnoException
  return new MotleyError(
    'spool_failed',
    `The request body is too large for memory and cannot be kept in ${tmpdir()} (${code ?? String(error)}).`,
    { retryAfterSeconds: 10 },
  )
}

/** A file without a name: the system frees it with the last handle, however the process ends. */
async function openSpool(): Promise<FileHandle> {
  const path = join(tmpdir(), `motley-body-${randomUUID()}`)
  const file = await open(path, 'wx+', 0o600)
  await unlink(path)
  return file
}
