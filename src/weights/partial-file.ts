/**
 * A file that is on its way: its bytes, and a journal of the ranges that are there. After a crash
 * only what the journal knows counts. It lies apart from finished files, so nobody can take it for
 * one.
 *
 *   <folder>/data           bytes, with holes
 *   <folder>/journal.json   what this is, and which ranges of it are on the disk
 */
import { type FileHandle, mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { parseJson } from '#std/parse-json.ts'
import { RangeSet } from '#std/range-set.ts'
import { diskFailure, writeWhole } from '#weights/durable-file.ts'

/** What a partial file is part of. Where any of it has changed, its bytes are of no use. */
export interface PartialIdentity {
  readonly sizeBytes: number | null
  /** `sha256:…` or `git-sha1:…`; null where nobody has promised a hash. */
  readonly digest: string | null
}

const journalShape = z.object({
  /** The reference it was pulled by and its path there, for lists. */
  reference: z.string(),
  path: z.string(),
  sizeBytes: z.int().nonnegative().nullable(),
  digest: z.string().nullable(),
  /** ETag or Last-Modified of the server; null where it gave none. */
  validator: z.string().nullable(),
  finished: z.array(z.object({ begin: z.int().nonnegative(), end: z.int().nonnegative() })),
})
export type PartialJournal = z.output<typeof journalShape>

/** So much may be lost when the process is killed: less costs more writes than it saves. */
const journalBytes = 4 * 1024 * 1024
/** Of the time, writing the journal takes at most a fifth: a slow disk is not slowed down further. */
const pauseFactor = 4

export class PartialFile {
  readonly folder: string
  readonly #file: FileHandle
  readonly #about: { readonly reference: string; readonly path: string }
  readonly #identity: PartialIdentity
  readonly #nowMs: () => number
  readonly finished: RangeSet
  validator: string | null
  #unwrittenBytes = 0
  #nextJournalMs = 0
  #writing: Promise<void> | null = null

  private constructor(
    folder: string,
    file: FileHandle,
    about: { readonly reference: string; readonly path: string },
    identity: PartialIdentity,
    journal: PartialJournal | null,
    nowMs: () => number,
  ) {
    this.folder = folder
    this.#file = file
    this.#about = about
    this.#identity = identity
    this.#nowMs = nowMs
    this.finished = new RangeSet(journal?.finished)
    this.validator = journal?.validator ?? null
  }

  /** Goes on where the last one stopped, if that was the same file. Rejects with a WeightsError. */
  static async open(
    folder: string,
    about: { readonly reference: string; readonly path: string },
    identity: PartialIdentity,
    nowMs: () => number,
  ): Promise<PartialFile> {
    const path = join(folder, 'data')
    try {
      await mkdir(folder, { recursive: true })
      const journal = await readJournal(folder)
      const same =
        journal !== null &&
        journal.sizeBytes === identity.sizeBytes &&
        journal.digest === identity.digest
      const file = await open(path, 'r+').catch(() => open(path, 'w+'))
      const partial = new PartialFile(folder, file, about, identity, same ? journal : null, nowMs)
      // A journal that promises more than is there belongs to other data.
      const { size } = await file.stat()
      const promised = partial.finished.ranges.at(-1)?.end ?? 0
      if (promised > size) partial.finished.clear()
      if (partial.finished.size === 0) partial.validator = null
      return partial
    } catch (cause) {
      throw diskFailure(path, cause)
    }
  }

  get dataPath(): string {
    return join(this.folder, 'data')
  }

  /** Writes all of `chunk`, and now and then the journal. Rejects with a WeightsError. */
  async write(chunk: Buffer, offset: number): Promise<void> {
    try {
      let written = 0
      while (written < chunk.length) {
        const { bytesWritten } = await this.#file.write(
          chunk,
          written,
          chunk.length - written,
          offset + written,
        )
        written += bytesWritten
      }
    } catch (cause) {
      throw diskFailure(this.dataPath, cause)
    }
    this.finished.add(offset, offset + chunk.length)
    this.#unwrittenBytes += chunk.length
    if (this.#unwrittenBytes < journalBytes || this.#writing !== null) return
    if (this.#nowMs() < this.#nextJournalMs) return
    // Beside the download: bytes keep coming while the disk is busy.
    this.#writing = this.#writeJournal()
      .catch(() => {}) // the next write, or the last journal, meets the same disk and says so
      .finally(() => {
        this.#writing = null
      })
  }

  /** Reads back what has been written; fewer bytes only where the data ends. */
  async read(buffer: Buffer, offset: number, length: number): Promise<number> {
    const { bytesRead } = await this.#file.read(buffer, 0, length, offset)
    return bytesRead
  }

  /** Nothing of it counts any longer. */
  reset(): void {
    this.finished.clear()
    this.validator = null
  }

  /** Until here, everything counts after a crash too. Rejects with a WeightsError. */
  async saveJournal(): Promise<void> {
    await this.#writing
    await this.#writeJournal()
  }

  /** Data in full and on the disk: ready to be renamed. */
  async seal(sizeBytes: number): Promise<void> {
    await this.#writing
    try {
      await this.#file.truncate(sizeBytes)
      await this.#file.sync()
    } catch (cause) {
      throw diskFailure(this.dataPath, cause)
    }
  }

  async close(): Promise<void> {
    await this.#writing
    await this.#file.close()
  }

  /** After {@link close}: bytes that are wrong help nobody. */
  async delete(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }

  async #writeJournal(): Promise<void> {
    const startMs = this.#nowMs()
    const finished = this.finished.ranges.map((range) => ({ ...range }))
    this.#unwrittenBytes = 0
    // First the bytes, then the promise that they are there.
    await this.#file.datasync().catch((cause) => {
      throw diskFailure(this.dataPath, cause)
    })
    const journal: PartialJournal = {
      ...this.#about,
      ...this.#identity,
      validator: this.validator,
      finished,
    }
    await writeWhole(join(this.folder, 'journal.json'), JSON.stringify(journal))
    const endMs = this.#nowMs()
    this.#nextJournalMs = endMs + pauseFactor * (endMs - startMs)
  }
}

/** Null where there is none that can be read. */
export async function readJournal(folder: string): Promise<PartialJournal | null> {
  const text = await readFile(join(folder, 'journal.json'), 'utf8').catch(() => null)
  const parsed = journalShape.safeParse(text === null ? null : parseJson(text))
  return parsed.success ? parsed.data : null
}
