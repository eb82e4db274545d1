/**
 * Where this machine keeps weights: each content once, under its hash, however many models have it.
 *
 *   blobs/sha256-<hex>           a file's content; a symbolic link where it was adopted from elsewhere
 *   manifests/<name>.json        what a reference means: files and their hashes
 *   models/<name>/…              the files of a model under their own names, for engines; links only
 *   models/<name>.laid/…         the same where an engine wants them elsewhere: see layout.ts
 *   adopted/sha256-<hex>.json    how a file that was adopted looked when it was hashed
 *   partial/<key>/               downloads on their way
 *   claims/<name>/<pid>-….json   who runs a model
 *
 * A blob appears by a rename of a file that was hashed, a manifest when all its blobs are there:
 * what is listed is whole.
 */
import { createHash, randomUUID } from 'node:crypto'
import {
  constants,
  copyFile,
  link,
  lstat,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  statfs,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { makeFolder } from '#std/make-folder.ts'
import { parseJson } from '#std/parse-json.ts'
import { AdoptedFiles } from '#weights/adopted-file.ts'
import { diskFailure, syncFolder, writeWhole } from '#weights/durable-file.ts'
import type { Layout } from '#weights/layout.ts'
import { isAlive } from '#weights/lock.ts'
import { openFilesOf } from '#weights/open-files.ts'
import { type PartialJournal, readJournal } from '#weights/partial-file.ts'
import { isSafePath } from '#weights/reference.ts'
import { WeightsError } from '#weights/weights-error.ts'

const hexShape = z.string().regex(/^[0-9a-f]{64}$/)

const modelShape = z.object({
  /** As `referenceText` writes it. */
  reference: z.string(),
  /** The commit, where the source has such; null elsewhere. */
  version: z.string().nullable(),
  pulledMs: z.number(),
  files: z.array(
    z.object({
      path: z.string().refine(isSafePath),
      sha256: hexShape,
      sizeBytes: z.int().nonnegative(),
    }),
  ),
})
/** A model that is here in full. */
export type StoredModel = z.output<typeof modelShape>

export interface StoredBlob {
  readonly path: string
  readonly sizeBytes: number
}

/** A download that was interrupted. */
export interface UnfinishedFile extends PartialJournal {
  readonly folder: string
}

const claimShape = z.object({ pid: z.int(), host: z.string(), label: z.string() })

export interface WeightsStore {
  readonly directory: string
  /** Rejects where this user can keep nothing there: found out before hours of download. */
  prepare(): Promise<void>
  /**
   * Null where it is not here, or not whole, or belongs to somebody who has written into it since: that
   * is found out here, and takes as long as reading it where it may have happened. `signal` ends that.
   */
  findBlob(sha256: string, signal?: AbortSignal): Promise<StoredBlob | null>
  /** Whether it was found out that somebody has written into this content. */
  hasChanged(sha256: string): Promise<boolean>
  /** Moves a finished file in. It must have been hashed. */
  addBlob(path: string, sha256: string): Promise<void>
  /** Makes a file that belongs to somebody else a blob, without a copy where the system allows. */
  adoptBlob(path: string, sha256: string): Promise<void>
  /** Lists a model, once all of its blobs are here. */
  addModel(model: StoredModel): Promise<void>
  models(): Promise<readonly StoredModel[]>
  unfinished(): Promise<readonly UnfinishedFile[]>
  /** Where an engine finds the files of a model under their own names. */
  modelFolder(reference: string): string
  /** Makes the files of a model that is listed appear in a layout. Resolves with its folder. */
  layOut(model: StoredModel, layout: Layout): Promise<string>
  partialFolder(key: string): string
  /**
   * Says that a model is in use until `release`, or until the process of that id has ended.
   * @param label what uses it, for the message of a refusal: `replica chat-1`.
   */
  claim(reference: string, pid: number, label: string): Promise<{ release(): Promise<void> }>
  /** Who uses a model, in words; empty when nobody does. */
  usersOf(model: StoredModel): Promise<readonly string[]>
  /** Deletes what no model that is listed has. Resolves with the bytes that became free. */
  removeUnlisted(hashes: Iterable<string>): Promise<number>
  /** Rejects with `in_use` where something runs it. Resolves with the bytes that became free. */
  removeModel(model: StoredModel): Promise<number>
  removeUnfinished(reference: string): Promise<number>
  /** Bytes that this user may still write where the store is. */
  freeBytes(): Promise<number>
}

/** A content, and where below a folder it is to appear. */
interface PlacedBlob {
  readonly path: string
  readonly sha256: string
}

/** Whether a folder has exactly these contents, by the identity of the files. */
async function holdsSame(
  folder: string,
  files: readonly PlacedBlob[],
  blobPath: (sha256: string) => string,
): Promise<boolean> {
  const same = files.map(async ({ path, sha256 }) => {
    const [one, other] = await Promise.all([stat(join(folder, path)), stat(blobPath(sha256))])
    return one.ino === other.ino && one.dev === other.dev
  })
  return (await Promise.all(same).catch(() => [false])).every(Boolean)
}

export function openStore(directory: string): WeightsStore {
  const blobs = join(directory, 'blobs')
  const adopted = new AdoptedFiles(join(directory, 'adopted'))
  const manifests = join(directory, 'manifests')
  const partials = join(directory, 'partial')
  const blobPath = (sha256: string) => join(blobs, `sha256-${hexShape.parse(sha256)}`)
  const manifestPath = (reference: string) => join(manifests, `${folderName(reference)}.json`)
  const modelFolder = (reference: string) => join(directory, 'models', folderName(reference))
  const laidFolder = (reference: string) => `${modelFolder(reference)}.laid`
  const claimFolder = (reference: string) => join(directory, 'claims', folderName(reference))

  const models = async (): Promise<StoredModel[]> => {
    const found: StoredModel[] = []
    for (const name of await names(manifests)) {
      if (!name.endsWith('.json')) continue
      const text = await readFile(join(manifests, name), 'utf8').catch(() => '')
      const parsed = modelShape.safeParse(parseJson(text))
      if (parsed.success) found.push(parsed.data)
    }
    return found.sort((one, other) => (one.reference < other.reference ? -1 : 1))
  }

  /** Makes a folder of links at once, or leaves one that is there and has the same. */
  const fill = (folder: string, files: readonly PlacedBlob[], texts: Layout['texts']) => {
    const draft = `${folder}.${randomUUID()}.tmp`
    const filling = changing(folder, async () => {
      for (const { path, sha256 } of files) {
        const target = join(draft, path)
        await makeFolder(dirname(target))
        await linkOrCopy(await realpath(blobPath(sha256)), target)
      }
      for (const { path, text } of texts) {
        const target = join(draft, path)
        await makeFolder(dirname(target))
        // A link here would be somebody's file: never written through.
        await writeFile(target, text, { flag: 'wx' })
      }
      await makeFolder(dirname(folder))
      await rename(draft, folder).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
        // Engines may have it open, and another pull may have made it just now.
        if (await holdsSame(folder, files, blobPath)) return
        await rm(folder, { recursive: true, force: true })
        await rename(draft, folder)
      })
      await syncFolder(dirname(folder))
    })
    return filling.finally(() => rm(draft, { recursive: true, force: true }))
  }

  const store: WeightsStore = {
    directory,
    modelFolder,
    models,
    partialFolder: (key) => join(partials, key),

    prepare: () => changing(directory, makeFolder),

    async findBlob(sha256, signal = new AbortController().signal) {
      const path = blobPath(sha256)
      // Follows links: an adopted file that its owner has deleted is not here any more.
      const info = await stat(path).catch(() => null)
      if (!info?.isFile()) return null
      return (await adopted.isStill(sha256, path, signal)) ? { path, sizeBytes: info.size } : null
    },

    hasChanged: (sha256) => adopted.hasChanged(sha256),

    async addBlob(path, sha256) {
      await changing(blobPath(sha256), async (target) => {
        await makeFolder(blobs)
        await rename(path, target)
        await adopted.forget(sha256)
        await syncFolder(blobs)
      })
    },

    async adoptBlob(path, sha256) {
      await changing(blobPath(sha256), async (target) => {
        await makeFolder(blobs)
        const draft = `${target}.${randomUUID()}.tmp`
        await linkOrCopy(await realpath(path), draft)
        await adopted.note(sha256, draft)
        await rename(draft, target)
        // A rename onto another link of the same file does nothing (POSIX), and leaves both.
        await rm(draft, { force: true })
        await syncFolder(blobs)
      })
    },

    async addModel(model) {
      await fill(modelFolder(model.reference), model.files, [])
      await writeWhole(manifestPath(model.reference), JSON.stringify(model, null, 2))
    },

    async layOut(model, { links, texts }) {
      const hashes = new Map(model.files.map(({ path, sha256 }) => [path, sha256]))
      const files = links.map(({ path, of }) => ({ path, sha256: hashes.get(of) ?? '' }))
      const folder = laidFolder(model.reference)
      await fill(folder, files, texts)
      return folder
    },

    async unfinished() {
      const found: UnfinishedFile[] = []
      for (const key of await names(partials)) {
        const folder = join(partials, key)
        const journal = await readJournal(folder)
        if (journal !== null) found.push({ ...journal, folder })
      }
      return found
    },

    async claim(reference, pid, label) {
      const path = join(claimFolder(reference), `${pid}-${randomUUID()}.json`)
      await writeWhole(path, JSON.stringify({ pid, host: hostname(), label }))
      return { release: () => rm(path, { force: true }) }
    },

    async usersOf(model) {
      const users: string[] = []
      for (const name of await names(claimFolder(model.reference))) {
        const path = join(claimFolder(model.reference), name)
        const text = await readFile(path, 'utf8').catch(() => '')
        const claim = claimShape.safeParse(parseJson(text))
        if (!claim.success) continue
        const { pid, host, label } = claim.data
        if (host !== hostname() || isAlive(pid)) users.push(`${label} (process ${pid})`)
        else await rm(path, { force: true })
      }
      const paths = model.files.map(({ sha256 }) => blobPath(sha256))
      for (const { pid, command } of await openFilesOf(paths)) {
        if (!users.some((user) => user.endsWith(`(process ${pid})`))) {
          users.push(`${command} (process ${pid})`)
        }
      }
      return users
    },

    async removeModel(model) {
      const users = await store.usersOf(model)
      if (users.length > 0) {
        throw new WeightsError(
          'in_use',
          `${model.reference} is used by ${users.join(', ')}: stop that first`,
        )
      }
      // The manifest goes first: what is not listed may lack files, not the other way round.
      await changing(manifestPath(model.reference), async (path) => {
        await rm(path, { force: true })
        await rm(modelFolder(model.reference), { recursive: true, force: true })
        await rm(laidFolder(model.reference), { recursive: true, force: true })
        await rm(claimFolder(model.reference), { recursive: true, force: true })
      })
      return store.removeUnlisted(model.files.map(({ sha256 }) => sha256))
    },

    async removeUnlisted(hashes) {
      const kept = new Set((await models()).flatMap((each) => each.files.map((one) => one.sha256)))
      let freedBytes = 0
      for (const sha256 of new Set(hashes)) {
        if (kept.has(sha256)) continue
        const info = await lstat(blobPath(sha256)).catch(() => null)
        await changing(blobPath(sha256), (path) => rm(path, { force: true }))
        await adopted.forget(sha256)
        // What another program also has stays on the disk.
        if (info?.isFile() && info.nlink === 1) freedBytes += info.size
      }
      return freedBytes
    },

    async removeUnfinished(reference) {
      let freedBytes = 0
      for (const partial of await store.unfinished()) {
        if (partial.reference !== reference) continue
        await changing(partial.folder, (path) => rm(path, { recursive: true, force: true }))
        freedBytes += partial.finished.reduce((sum, { begin, end }) => sum + end - begin, 0)
      }
      return freedBytes
    },

    async freeBytes() {
      let folder = directory
      for (;;) {
        const found = await statfs(folder).catch(() => null)
        if (found !== null) return found.bavail * found.bsize
        if (dirname(folder) === folder) return Number.POSITIVE_INFINITY
        folder = dirname(folder)
      }
    },
  }
  return store
}

/** Bytes of a model on the disk; parts that are the same content count once. */
export function modelBytes(model: StoredModel): number {
  const unique = new Map(model.files.map((file) => [file.sha256, file.sizeBytes]))
  return [...unique.values()].reduce((total, sizeBytes) => total + sizeBytes, 0)
}

/** Readable, unique also where the system does not tell A from a, and never too long. */
function folderName(reference: string): string {
  const words = reference
    .replace(/^\w+:\/*/, '')
    .replace(/[^A-Za-z0-9._-]+/g, '--')
    .replace(/^[.-]+|[.-]+$/g, '')
  const hash = createHash('sha256').update(reference).digest('hex').slice(0, 12)
  return `${words.slice(-100)}-${hash}`
}

/** The same bytes under a second name: shared on one disk, pointed to across disks. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch {
    try {
      await symlink(from, to)
    } catch {
      // Windows without the right to make links: shares the blocks where the file system can. What is
      // there already is another name of a content, and would be written over.
      await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL)
    }
  }
}

async function changing(path: string, change: (path: string) => Promise<void>): Promise<void> {
  try {
    await change(path)
  } catch (cause) {
    throw diskFailure(path, cause)
  }
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => [])
}
