/** Bytes that can be read at any place without having them all: a file here, or one behind HTTP. */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { WeightsError } from '#weights/weights-error.ts'

export interface ByteSource {
  readonly sizeBytes: number
  /** What messages call it: a path or a URL without its query. */
  readonly name: string
  /**
   * The bytes from `offset` on: `length` of them, fewer only where the source ends.
   * Rejects with {@link WeightsError}.
   */
  read(offset: number, length: number): Promise<Buffer>
}

export interface OpenByteSource extends ByteSource {
  close(): Promise<void>
}

/** @throws {WeightsError} */
export async function openFile(path: string): Promise<OpenByteSource> {
  let file: FileHandle | null = null
  try {
    // A pipe would be waited for until somebody writes to it.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const info = await file.stat()
    if (!info.isFile()) throw new WeightsError('bad_file', `${path} is not a file`)
    return fileSource(path, file, info.size)
  } catch (cause) {
    await file?.close()
    if (cause instanceof WeightsError) throw cause
    throw readFailure(path, cause)
  }
}

function fileSource(path: string, file: FileHandle, sizeBytes: number): OpenByteSource {
  return {
    sizeBytes,
    name: path,
    async read(offset, length) {
      const wanted = Math.max(0, Math.min(length, sizeBytes - offset))
      const buffer = Buffer.alloc(wanted)
      let have = 0
      while (have < wanted) {
        const { bytesRead } = await file
          .read(buffer, have, wanted - have, offset + have)
          .catch((cause) => {
            throw readFailure(path, cause)
          })
        if (bytesRead === 0) break // it has become shorter meanwhile
        have += bytesRead
      }
      return buffer.subarray(0, have)
    },
    close: () => file.close(),
  }
}

function readFailure(path: string, cause: unknown): WeightsError {
  const code = (cause as NodeJS.ErrnoException).code
  if (code === 'ENOENT') {
    return new WeightsError('not_found', `there is no file ${path}`, { cause })
  }
  return new WeightsError('disk_failed', `${path} cannot be read (${code ?? cause})`, { cause })
}

/** Bytes in memory. */
export function bytesSource(bytes: Buffer, name = 'the bytes'): ByteSource {
  return {
    sizeBytes: bytes.length,
    name,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
  }
}
