/**
 * Files of other programs that the store has under their hash. Their owners may write into them at
 * any time, and a hard link shows what they wrote: so it is remembered how each looked when it was
 * hashed, and one that looks otherwise is hashed again before it is used. What that finds is written
 * down where it can be, and where the disk is full this process remembers it.
 */
import { readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { parseJson } from '#std/parse-json.ts'
import { hashFile } from '#weights/content-hash.ts'
import { writeWhole } from '#weights/durable-file.ts'
import { WeightsError } from '#weights/weights-error.ts'

const looksShape = z.object({
  device: z.string(),
  inode: z.string(),
  sizeBytes: z.string(),
  /** Whoever writes moves it; in nanoseconds, as far as the file system counts. */
  modifiedNs: z.string(),
})
type Looks = z.output<typeof looksShape>

const recordShape = z.discriminatedUnion('kind', [
  looksShape.extend({ kind: z.literal('adopted') }),
  /** Its owner has written into it: what is here is another content. */
  z.object({ kind: z.literal('changed') }),
])

/** What hashing a file again has found. */
interface Finding {
  readonly looks: Looks
  readonly isSameContent: boolean
}

export class AdoptedFiles {
  readonly #folder: string
  readonly #writeFile: typeof writeWhole
  /** By hash, what could not be written down. */
  readonly #unwritten = new Map<string, Finding>()

  constructor(folder: string, writeFile = writeWhole) {
    this.#folder = folder
    this.#writeFile = writeFile
  }

  /** To be called with the content under its new name, while it is known to have that hash. */
  async note(sha256: string, path: string): Promise<void> {
    await this.#write(sha256, { kind: 'adopted', ...(await looksOf(path)) })
    this.#unwritten.delete(sha256)
  }

  /** Nobody else has it, or nobody needs it any more. */
  async forget(sha256: string): Promise<void> {
    await rm(this.#recordPath(sha256), { force: true })
    this.#unwritten.delete(sha256)
  }

  /** Whether a file that was adopted for this content has another one now. */
  async hasChanged(sha256: string): Promise<boolean> {
    if (this.#unwritten.get(sha256)?.isSameContent === false) return true
    return (await this.#read(sha256))?.kind === 'changed'
  }

  /**
   * Whether the file there is still that content; a file that was never adopted is. Writes nothing
   * that it needs. Rejects with the reason of `signal`, where that ends it.
   */
  async isStill(sha256: string, path: string, signal: AbortSignal): Promise<boolean> {
    const record = await this.#read(sha256)
    if (record === null) return true
    if (record.kind === 'changed') return false
    const looks = await looksOf(path)
    if (isSame(looks, record)) return true
    const known = this.#unwritten.get(sha256)
    if (known !== undefined && isSame(looks, known.looks)) return known.isSameContent
    const isSameContent =
      looks.sizeBytes === record.sizeBytes && (await hashFile(path, { signal })).sha256 === sha256
    try {
      await this.#write(sha256, isSameContent ? { kind: 'adopted', ...looks } : { kind: 'changed' })
      this.#unwritten.delete(sha256)
    } catch (error) {
      if (!(error instanceof WeightsError)) throw error
      this.#unwritten.set(sha256, { looks, isSameContent })
    }
    return isSameContent
  }

  #recordPath(sha256: string): string {
    return join(this.#folder, `sha256-${sha256}.json`)
  }

  async #read(sha256: string): Promise<z.output<typeof recordShape> | null> {
    const text = await readFile(this.#recordPath(sha256), 'utf8').catch(() => '')
    return recordShape.safeParse(parseJson(text)).data ?? null
  }

  async #write(sha256: string, record: z.output<typeof recordShape>): Promise<void> {
    await this.#writeFile(this.#recordPath(sha256), JSON.stringify(record))
  }
}

async function looksOf(path: string): Promise<Looks> {
  const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true })
  return {
    device: String(dev),
    inode: String(ino),
    sizeBytes: String(size),
    modifiedNs: String(mtimeNs),
  }
}

function isSame(one: Looks, other: Looks): boolean {
  return (
    one.device === other.device &&
    one.inode === other.inode &&
    one.sizeBytes === other.sizeBytes &&
    one.modifiedNs === other.modifiedNs
  )
}
