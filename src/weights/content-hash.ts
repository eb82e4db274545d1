/**
 * Hashes of a file's content. The hash runs along behind the download, over the bytes that are
 * there without a gap from the start: when the last byte comes, little is left to read.
 */
import { createHash, type Hash } from 'node:crypto'
import { openFile } from '#weights/byte-source.ts'
import type { Digest } from '#weights/source.ts'
import { WeightsError } from '#weights/weights-error.ts'

export interface ContentHashes {
  readonly sha256: string
  /** Null where nobody asked for it. */
  readonly gitSha1: string | null
}

/** Reads into a buffer, and says how many bytes it got. */
type ReadAt = (buffer: Buffer, offset: number, length: number) => Promise<number>

const pieceBytes = 1024 * 1024

export class ContentHasher {
  readonly #read: ReadAt
  readonly #sha256 = createHash('sha256')
  readonly #gitSha1: Hash | null
  readonly #piece = Buffer.allocUnsafe(pieceBytes)
  #hashedBytes = 0
  #availableBytes = 0
  #running: Promise<void> | null = null

  /** A git hash needs the length before the first byte. */
  constructor(read: ReadAt, gitSizeBytes: number | null) {
    this.#read = read
    this.#gitSha1 = gitSizeBytes === null ? null : createHash('sha1')
    this.#gitSha1?.update(`blob ${gitSizeBytes}\0`)
  }

  get hashedBytes(): number {
    return this.#hashedBytes
  }

  /** The first so many bytes are there, and will not change. */
  advance(availableBytes: number): void {
    this.#availableBytes = Math.max(this.#availableBytes, availableBytes)
    // What goes wrong here goes wrong again in finish(), where somebody waits for it.
    this.#running ??= this.#run()
      .catch(() => {})
      .finally(() => {
        this.#running = null
      })
  }

  /** Of the whole content. Rejects with the error of reading. */
  async finish(sizeBytes: number): Promise<ContentHashes> {
    this.#availableBytes = sizeBytes
    await this.#running
    await this.#run()
    return {
      sha256: this.#sha256.digest('hex'),
      gitSha1: this.#gitSha1?.digest('hex') ?? null,
    }
  }

  /** Resolves when nothing is being read any more. */
  async stop(): Promise<void> {
    this.#availableBytes = 0
    await this.#running
  }

  async #run(): Promise<void> {
    while (this.#hashedBytes < this.#availableBytes) {
      const wanted = Math.min(pieceBytes, this.#availableBytes - this.#hashedBytes)
      const bytesRead = await this.#read(this.#piece, this.#hashedBytes, wanted)
      if (bytesRead === 0) {
        throw new WeightsError('disk_failed', 'a file has become shorter while it was read')
      }
      const piece = this.#piece.subarray(0, bytesRead)
      this.#sha256.update(piece)
      this.#gitSha1?.update(piece)
      this.#hashedBytes += bytesRead
    }
  }
}

/** Of a file that lies there. Rejects with a {@link WeightsError}. */
export async function hashFile(
  path: string,
  {
    signal,
    wantGitSha1 = false,
    onBytes = () => {},
  }: {
    readonly signal: AbortSignal
    readonly wantGitSha1?: boolean
    /** How many more bytes have been read. */
    readonly onBytes?: (bytes: number) => void
  },
): Promise<ContentHashes & { readonly sizeBytes: number }> {
  const file = await openFile(path)
  try {
    const read: ReadAt = async (buffer, offset, length) => {
      signal.throwIfAborted()
      const bytes = await file.read(offset, length)
      onBytes(bytes.length)
      return bytes.copy(buffer)
    }
    const hasher = new ContentHasher(read, wantGitSha1 ? file.sizeBytes : null)
    return { ...(await hasher.finish(file.sizeBytes)), sizeBytes: file.sizeBytes }
  } finally {
    await file.close()
  }
}

export function digestText({ kind, hex }: Digest): string {
  return `${kind}:${hex}`
}

export function matches(hashes: ContentHashes, digest: Digest | null): boolean {
  if (digest === null) return true
  return digest.hex === (digest.kind === 'sha256' ? hashes.sha256 : hashes.gitSha1)
}
