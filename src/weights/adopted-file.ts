/**
 * Files of other programs that the store has under their hash. Their owners may write into them at
 * any time, and a hard link shows what they wrote: so it is remembered how each looked when it was
 * hashed, and one that looks otherwise is hashed again before it is used.
 */
import { readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { parseJson } from '#std/parse-json.ts'
import { hashFile } from '#weights/content-hash.ts'
import { writeWhole } from '#weights/durable-file.ts'

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

export class AdoptedFiles {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** To be called with the content under its new name, while it is known to have that hash. */
  async note(sha256: string, path: string): Promise<void> {
    await this.#write(sha256, { kind: 'adopted', ...(await looksOf(path)) })
  }

  /** Nobody else has it, or nobody needs it any more. */
  async forget(sha256: string): Promise<void> {
    await rm(this.#recordPath(sha256), { force: true })
  }

  /** Whether a file that was adopted for this content has another one now. */
  async hasChanged(sha256: string): Promise<boolean> {
    return (await this.#read(sha256))?.kind === 'changed'
  }

  /** Whether the file there is still that content; a file that was never adopted is. */
  async isStill(sha256: string, path: string): Promise<boolean> {
    const record = await this.#read(sha256)
    if (record === null) return true
    if (record.kind === 'changed') return false
    const looks = await looksOf(path)
    if (isSame(looks, record)) return true
    const isSameContent =
      looks.sizeBytes === record.sizeBytes &&
      (await hashFile(path, { signal: new AbortController().signal })).sha256 === sha256
    await this.#write(sha256, isSameContent ? { kind: 'adopted', ...looks } : { kind: 'changed' })
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
    await writeWhole(this.#recordPath(sha256), JSON.stringify(record))
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
