/**
 * A file that is on its way: its bytes, and journals of the ranges that are there. It lies apart
 * from finished files, so nobody can take it for one.
 *
 *   <folder>/data            bytes, with holes
 *   <folder>/journal.json    ranges that are on the disk for certain: counts after a power cut
 *   <folder>/progress.json   ranges that were written: counts while the machine has not started anew,
 *                            so that a killed process loses next to nothing
 */
import { type FileHandle, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { uptime } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { makeFolder } from '#std/make-folder.ts'
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

/** When the machine was started: the same for all processes until it is started again. */
const progressShape = journalShape.extend({ bootMs: z.number() })

/** So much may be lost when the process is killed: less costs more writes than it saves. */
const progressBytes = 2 * 1024 * 1024
/** So much may be lost when the power goes away; a disk takes a while to be sure of it. */
const journalBytes = 32 * 1024 * 1024
/** Of the time, making sure takes at most a fifth: a slow disk is not slowed down further. */
const pauseFactor = 4
/** Clocks are set now and then; a machine does not start twice within a minute. */
const bootToleranceMs = 60_000

export class PartialFile {
  readonly folder: string
  readonly #file: FileHandle
  readonly #about: { readonly reference: string; readonly path: string }
  readonly #identity: PartialIdentity
  readonly #nowMs: () => number
  readonly finished: RangeSet
  validator: string | null
  #untoldBytes = 0
  #unsureBytes = 0
  #nextJournalMs = 0
  #telling: Promise<void> | null = null
  #ensuring: Promise<void> | null = null

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
      await makeFolder(folder)
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
    this.#untoldBytes += chunk.length
    this.#unsureBytes += chunk.length
    // Both beside the download: bytes keep coming while the disk is busy. What goes wrong here goes
    // wrong again in the next write, where somebody waits for it.
    if (this.#untoldBytes >= progressBytes) {
      this.#telling ??= this.#writeProgress()
        .catch(() => {})
        .finally(() => {
          this.#telling = null
        })
    }
    if (this.#unsureBytes >= journalBytes && this.#nowMs() >= this.#nextJournalMs) {
      this.#ensuring ??= this.#writeJournal()
        .catch(() => {})
        .finally(() => {
          this.#ensuring = null
        })
    }
  }

  /** Reads back what has been written; fewer bytes only where the data ends. */
  async read(buffer: Buffer, offset: number, length: number): Promise<number> {
    const { bytesRead } = await this.#file.read(buffer, 0, length, offset)
    return bytesRead
  }

  /** Nothing of it counts any longer, not after a crash either. Rejects with a WeightsError. */
  async reset(): Promise<void> {
    this.finished.clear()
    this.validator = null
    await this.saveJournal()
  }

  /** Until here, everything counts after a crash too. Rejects with a WeightsError. */
  async saveJournal(): Promise<void> {
    await this.#quiet()
    await this.#writeJournal()
    await this.#writeProgress()
  }

  /** Data in full and on the disk: ready to be renamed. */
  async seal(sizeBytes: number): Promise<void> {
    await this.#quiet()
    try {
      await this.#file.truncate(sizeBytes)
      await this.#file.sync()
    } catch (cause) {
      throw diskFailure(this.dataPath, cause)
    }
  }

  async close(): Promise<void> {
    await this.#quiet()
    await this.#file.close()
  }

  /** After {@link close}: bytes that are wrong help nobody. */
  async delete(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }

  async #quiet(): Promise<void> {
    await this.#telling
    await this.#ensuring
  }

  #journal(): PartialJournal {
    const finished = this.finished.ranges.map((range) => ({ ...range }))
    return { ...this.#about, ...this.#identity, validator: this.validator, finished }
  }

  async #writeProgress(): Promise<void> {
    this.#untoldBytes = 0
    const progress = { ...this.#journal(), bootMs: bootMs() }
    const path = join(this.folder, 'progress.json')
    try {
      await writeFile(`${path}.tmp`, JSON.stringify(progress))
      await rename(`${path}.tmp`, path)
    } catch (cause) {
      throw diskFailure(path, cause)
    }
  }

  async #writeJournal(): Promise<void> {
    const startMs = this.#nowMs()
    this.#unsureBytes = 0
    const journal = this.#journal()
    // First the bytes, then the promise that they are there.
    await this.#file.datasync().catch((cause) => {
      throw diskFailure(this.dataPath, cause)
    })
    await writeWhole(join(this.folder, 'journal.json'), JSON.stringify(journal))
    const endMs = this.#nowMs()
    this.#nextJournalMs = endMs + pauseFactor * (endMs - startMs)
  }
}

/** What counts of a partial file now. Null where there is none that can be read. */
export async function readJournal(folder: string): Promise<PartialJournal | null> {
  const progress = progressShape.safeParse(await readJson(join(folder, 'progress.json')))
  if (progress.success && Math.abs(progress.data.bootMs - bootMs()) < bootToleranceMs) {
    return journalShape.parse(progress.data)
  }
  const journal = journalShape.safeParse(await readJson(join(folder, 'journal.json')))
  return journal.success ? journal.data : null
}

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch(() => null)
  return text === null ? null : parseJson(text)
}

function bootMs(): number {
  return Date.now() - uptime() * 1000
}
