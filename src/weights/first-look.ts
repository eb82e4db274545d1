/**
 * A look at the first bytes of files, before anybody waits for the rest: at a link that leads to a
 * page, an archive, a file of the wrong name.
 */
import { openFile } from '#weights/byte-source.ts'
import { startBytes } from '#weights/formats/file-kind.ts'
import { strangeness } from '#weights/formats/weights-format.ts'
import type { PartialFile } from '#weights/partial-file.ts'
import { WeightsError } from '#weights/weights-error.ts'

/** Configurations are read to their end; of other files it is more than is looked at. */
const readBytesMax = 64 * 1024

/** Rejects with a {@link WeightsError} where the file cannot be read. */
export async function startOf(location: string): Promise<Buffer> {
  const file = await openFile(location)
  try {
    return await file.read(0, readBytesMax)
  } finally {
    await file.close()
  }
}

/** Why the file at `place` cannot be part of a model; null where it may be one. */
export function refusalOf(path: string, start: Buffer, place: string): WeightsError | null {
  const strange = strangeness({ path, start })
  return strange === null ? null : new WeightsError('bad_file', `${place} ${strange}`)
}

interface LookedAt {
  readonly path: string
  /** Null where the server does not say. */
  readonly sizeBytes: number | null
}

/** Of a file on its way: ends the download by its `signal` where it can be no weights. */
export class FirstLook {
  readonly #partial: PartialFile
  readonly #file: LookedAt
  readonly #place: string
  readonly #refused = new AbortController()
  #looking: Promise<void> | null = null

  constructor(partial: PartialFile, file: LookedAt, place: string) {
    this.#partial = partial
    this.#file = file
    this.#place = place
  }

  get signal(): AbortSignal {
    return this.#refused.signal
  }

  /** To be called when more of the file is there. */
  advance(): void {
    const neededBytes = Math.min(startBytes, this.#file.sizeBytes ?? startBytes)
    if (this.#looking !== null || this.#partial.finished.prefixEnd < neededBytes) return
    // What cannot be read now cannot be hashed either, and then somebody waits for it.
    this.#looking = this.#look(neededBytes).catch(() => {})
  }

  /** The file comes anew from its beginning. */
  reset(): void {
    this.#looking = null
  }

  /** Resolves when nothing is being read any more. */
  async stop(): Promise<void> {
    await this.#looking
  }

  async #look(bytes: number): Promise<void> {
    const start = Buffer.alloc(bytes)
    const bytesRead = await this.#partial.read(start, 0, bytes)
    const refusal = refusalOf(this.#file.path, start.subarray(0, bytesRead), this.#place)
    if (refusal !== null) this.#refused.abort(refusal)
  }
}
