/**
 * Brings weights to this machine: finds out which files they are, takes what is here already,
 * checks that the rest will fit, and downloads it. Pulling again goes on where the last pull ended.
 *
 *   resolve ──▶ here already? ──▶ in the cache of another program? ──▶ room? ──▶ download ──▶ hash ──▶ list
 */
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import type { WeightsFormat } from '#core/engine-build.ts'
import { sleep } from '#std/sleep.ts'
import type { WeightsCache } from '#weights/caches/cache.ts'
import {
  ContentHasher,
  type ContentHashes,
  digestText,
  hashFile,
  matches,
} from '#weights/content-hash.ts'
import { download } from '#weights/download.ts'
import { FirstLook, refusalOf, startOf } from '#weights/first-look.ts'
import { readableFormats, weightsFormatOf } from '#weights/formats/weights-format.ts'
import { tryLock } from '#weights/lock.ts'
import { nearLocations } from '#weights/near-locations.ts'
import { PartialFile, readJournal } from '#weights/partial-file.ts'
import { referenceText, type WeightsReference } from '#weights/reference.ts'
import type { HttpLocation, LocalLocation, ResolvedFile, SourceContext } from '#weights/source.ts'
import { resolveWeights } from '#weights/sources/index.ts'
import type { StoredBlob, StoredModel, WeightsStore } from '#weights/store.ts'
import { WeightsError } from '#weights/weights-error.ts'

export interface PullContext extends Omit<SourceContext, 'onWait'> {
  readonly store: WeightsStore
  readonly caches: readonly WeightsCache[]
  /** Other nodes of the fleet, `http://host:port`: asked before the internet is. */
  readonly nodes: readonly string[]
  readonly onEvent: (event: PullEvent) => void
}

export type PullEvent =
  /** What will be done, once it is known. Files of unknown size count as 0 bytes. */
  | { readonly kind: 'planned'; readonly files: number; readonly totalBytes: number }
  /** A file begins. `hashing`: it is here, and its content is checked. */
  | {
      readonly kind: 'file'
      readonly path: string
      readonly sizeBytes: number | null
      readonly action: 'have' | 'hashing' | 'downloading'
      /** Of whom: a host, or the name of a program. */
      readonly from: string
    }
  /** Bytes that need not be waited for any more; negative where some turned out to be of no use. */
  | { readonly kind: 'progress'; readonly bytes: number; readonly transferred: boolean }
  | { readonly kind: 'waiting'; readonly reason: string; readonly waitMs: number }
  | { readonly kind: 'note'; readonly text: string }

export interface PullResult {
  readonly model: StoredModel
  readonly format: WeightsFormat
  /** Where an engine finds the files. */
  readonly folder: string
  /** Bytes that came over the network, those that had to come twice included. */
  readonly transferredBytes: number
  /** Bytes that were taken from other programs. */
  readonly adoptedBytes: number
}

/** What must stay free: headers, journals, and what others write meanwhile. */
const reserveBytes = 64 * 1024 * 1024
/** How often it is looked whether another process has finished the same download. */
const lockPollMs = 500

/**
 * Rejects with a {@link WeightsError}, or with the reason of the signal; what has come until then is
 * kept, and the same pull goes on from there.
 */
export async function pullWeights(
  reference: WeightsReference,
  context: PullContext,
): Promise<PullResult> {
  const pull = new Pull(reference, context)
  return pull.run()
}

class Pull {
  readonly #reference: WeightsReference
  readonly #text: string
  readonly #context: PullContext
  readonly #source: SourceContext
  #transferredBytes = 0
  #adoptedBytes = 0

  constructor(reference: WeightsReference, context: PullContext) {
    this.#reference = reference
    this.#text = referenceText(reference)
    this.#context = context
    this.#source = {
      ...context,
      onWait: (reason, waitMs) => context.onEvent({ kind: 'waiting', reason, waitMs }),
    }
  }

  async run(): Promise<PullResult> {
    const { store, clock, onEvent } = this.#context
    await store.prepare()
    const { version, files } = await resolveWeights(this.#reference, this.#source)
    onEvent({
      kind: 'planned',
      files: files.length,
      totalBytes: files.reduce((total, { sizeBytes }) => total + (sizeBytes ?? 0), 0),
    })
    const stored = new Map<ResolvedFile, string>()
    try {
      await this.#bring(files, stored)
      const model: StoredModel = {
        reference: this.#text,
        version,
        pulledMs: Math.round(clock.nowMs()),
        files: await Promise.all(files.map((file) => this.#storedFile(file, stored))),
      }
      const format = await this.#formatOf(model)
      await store.addModel(model)
      return {
        model,
        format,
        folder: store.modelFolder(model.reference),
        transferredBytes: this.#transferredBytes,
        adoptedBytes: this.#adoptedBytes,
      }
    } catch (error) {
      // Whatever else goes wrong, the next pull goes on with what is there.
      const isNoModel = error instanceof WeightsError && error.code === 'bad_file'
      if (isNoModel) await store.removeUnlisted(stored.values())
      throw error
    }
  }

  /** Until the store has all of the files; each is entered in `stored`, with its hash, when it has. */
  async #bring(files: readonly ResolvedFile[], stored: Map<ResolvedFile, string>): Promise<void> {
    const missing: ResolvedFile[] = []
    for (const file of files) {
      const sha256 = (await this.#have(file)) ?? (await this.#adopt(file))
      if (sha256 === null) missing.push(file)
      else stored.set(file, sha256)
    }
    await this.#checkRoom(missing)
    const { nodes, onEvent } = this.#context
    const onNote = (text: string) => onEvent({ kind: 'note', text })
    const near = await nearLocations(missing, nodes, this.#source, onNote)
    for (const file of missing) {
      const locations = [...(near.get(file) ?? []), ...file.locations]
      stored.set(file, await this.#fetch({ ...file, locations }))
    }
  }

  async #storedFile(
    file: ResolvedFile,
    stored: ReadonlyMap<ResolvedFile, string>,
  ): Promise<StoredModel['files'][number]> {
    const sha256 = stored.get(file) ?? ''
    const blob = await this.#blob(sha256)
    if (blob === null) throw new WeightsError('disk_failed', `${file.path} has gone again`)
    return { path: file.path, sha256, sizeBytes: blob.sizeBytes }
  }

  #blob(sha256: string): Promise<StoredBlob | null> {
    const { store, signal } = this.#context
    return store.findBlob(sha256, signal)
  }

  /** Its hash, when the store has it already. */
  async #have(file: ResolvedFile): Promise<string | null> {
    const { store, onEvent } = this.#context
    const known = await this.#knownSha256(file)
    const blob = known === null ? null : await this.#blob(known)
    if (blob === null && known !== null && (await store.hasChanged(known))) {
      const text = `somebody has written into the file that ${file.path} was taken from; it is brought again`
      onEvent({ kind: 'note', text })
    }
    if (blob === null || (file.sizeBytes !== null && blob.sizeBytes !== file.sizeBytes)) return null
    onEvent({ ...about(file), kind: 'file', action: 'have', from: 'this machine' })
    onEvent({ kind: 'progress', bytes: blob.sizeBytes, transferred: false })
    return known
  }

  /** Small files of the hub have a git hash only: an earlier pull of the same version knows more. */
  async #knownSha256(file: ResolvedFile): Promise<string | null> {
    const { digest } = file
    if (digest === null) return null
    if (digest.kind === 'sha256') return digest.hex
    for (const model of await this.#context.store.models()) {
      if (model.reference !== this.#text) continue
      const same = model.files.find(({ path }) => path === file.path)
      const blob = same && (await this.#blob(same.sha256))
      if (!blob) continue
      const { signal } = this.#context
      const hashes = await hashFile(blob.path, { signal, wantGitSha1: true })
      if (hashes.gitSha1 === digest.hex) return hashes.sha256
    }
    return null
  }

  /** Its hash, when another program of this machine has it, or the reference is a path here. */
  async #adopt(file: ResolvedFile): Promise<string | null> {
    const { caches } = this.#context
    for (const location of file.locations) {
      if (location.kind === 'local') return this.#adoptPath(file, location.path, 'this machine')
    }
    if (file.digest === null) return null
    for (const cache of caches) {
      for (const path of await cache.candidates(file, this.#reference)) {
        const info = await stat(path).catch(() => null)
        if (!info?.isFile() || info.size !== file.sizeBytes) continue
        const sha256 = await this.#adoptPath(file, path, cache.name)
        if (sha256 !== null) return sha256
      }
    }
    return null
  }

  /** Rejects where it is no model that an engine reads. */
  async #formatOf({ files }: StoredModel): Promise<WeightsFormat> {
    const started = await Promise.all(
      files.map(async ({ path, sha256 }) => {
        const blob = await this.#blob(sha256)
        return { path, start: blob === null ? Buffer.alloc(0) : await startOf(blob.path) }
      }),
    )
    const refusal = started
      .map(({ path, start }) => refusalOf(path, start, path))
      .find((each) => each !== null)
    const format = refusal === undefined ? weightsFormatOf(started) : null
    if (format !== null) return format
    throw (
      refusal ??
      new WeightsError(
        'bad_file',
        `${this.#text} is no model that an engine reads: those are ${readableFormats}`,
      )
    )
  }

  async #adoptPath(file: ResolvedFile, path: string, from: string): Promise<string | null> {
    const { store, signal, onEvent } = this.#context
    if (file.digest === null) {
      const refusal = refusalOf(file.path, await startOf(path), path)
      if (refusal !== null) throw refusal
    }
    onEvent({ ...about(file), kind: 'file', action: 'hashing', from })
    let seenBytes = 0
    const { sizeBytes, ...hashes } = await hashFile(path, {
      signal,
      wantGitSha1: file.digest?.kind === 'git-sha1',
      onBytes: (bytes) => {
        seenBytes += bytes
        onEvent({ kind: 'progress', bytes, transferred: false })
      },
    })
    if (!matches(hashes, file.digest)) {
      onEvent({ kind: 'progress', bytes: -seenBytes, transferred: false })
      onEvent({ kind: 'note', text: `${path} of ${from} is not what it is called; left alone` })
      return null
    }
    await store.adoptBlob(path, hashes.sha256)
    this.#adoptedBytes += sizeBytes
    return hashes.sha256
  }

  async #checkRoom(missing: readonly ResolvedFile[]): Promise<void> {
    const { store } = this.#context
    if (missing.length === 0) return
    let neededBytes = 0
    for (const file of missing) {
      const journal = await readJournal(store.partialFolder(partialKey(file, this.#text)))
      const isSame = journal !== null && journal.sizeBytes === file.sizeBytes
      const have = isSame
        ? journal.finished.reduce((sum, { begin, end }) => sum + end - begin, 0)
        : 0
      neededBytes += Math.max(0, (file.sizeBytes ?? 0) - have)
    }
    const freeBytes = await store.freeBytes()
    if (neededBytes + reserveBytes <= freeBytes) return
    throw new WeightsError(
      'disk_full',
      `${this.#text} needs ${gigabytes(neededBytes)} more, and ${gigabytes(freeBytes)} are free at ${store.directory}: free some, or set MOTLEY_DATA_DIR to another disk`,
    )
  }

  /** Downloads it, or waits for another process that does. */
  async #fetch(file: ResolvedFile): Promise<string> {
    const { store, clock, signal, onEvent } = this.#context
    const folder = store.partialFolder(partialKey(file, this.#text))
    let told = false
    for (;;) {
      const lock = await tryLock(`${folder}.lock`)
      if (lock !== null) {
        try {
          // Somebody may have finished it while we waited.
          return (await this.#have(file)) ?? (await this.#fetchLocked(file, folder))
        } finally {
          await lock.release()
        }
      }
      if (!told) {
        onEvent({ kind: 'note', text: `another motley downloads ${file.path}; waiting for it` })
      }
      told = true
      await sleep(clock, lockPollMs, signal)
    }
  }

  async #fetchLocked(file: ResolvedFile, folder: string): Promise<string> {
    const { onEvent, signal } = this.#context
    const locations = file.locations.filter(isHttp)
    for (const [index, location] of locations.entries()) {
      try {
        return await this.#fetchFrom(file, location, folder)
      } catch (error) {
        signal.throwIfAborted()
        const isOurs = !(error instanceof WeightsError) || error.code.startsWith('disk_')
        if (isOurs || index === locations.length - 1) throw error
        onEvent({ kind: 'note', text: `${error.message}; trying ${hostOf(locations[index + 1])}` })
      }
    }
    throw new WeightsError('not_found', `nobody has ${file.path}`)
  }

  async #fetchFrom(file: ResolvedFile, location: HttpLocation, folder: string): Promise<string> {
    const { store, clock, onEvent, signal } = this.#context
    const { digest, path } = file
    const identity = {
      sizeBytes: file.sizeBytes,
      digest: digest === null ? null : digestText(digest),
    }
    onEvent({ ...about(file), kind: 'file', action: 'downloading', from: hostOf(location) })
    const partial = await PartialFile.open(folder, { reference: this.#text, path }, identity, () =>
      clock.nowMs(),
    )
    let countedBytes = partial.finished.size
    const count = (bytes: number, transferred: boolean) => {
      onEvent({ kind: 'progress', bytes, transferred })
    }
    if (countedBytes > 0) count(countedBytes, false)
    const read = partial.read.bind(partial)
    const newHasher = () =>
      new ContentHasher(read, digest?.kind === 'git-sha1' ? file.sizeBytes : null)
    let hasher = newHasher()
    let isWrong = false
    const firstLook = new FirstLook(partial, file, placeOf(location))
    firstLook.advance()
    try {
      const sizeBytes = await download({
        ...this.#source,
        signal: AbortSignal.any([signal, firstLook.signal]),
        location,
        partial,
        sizeBytes: file.sizeBytes,
        isPinned: digest !== null,
        onBytes: (bytes) => {
          this.#transferredBytes += bytes
          countedBytes += bytes
          count(bytes, true)
          hasher.advance(partial.finished.prefixEnd)
          firstLook.advance()
        },
        onReset: () => {
          firstLook.reset()
          count(-countedBytes, false)
          countedBytes = 0
          void hasher.stop()
          hasher = newHasher()
        },
      })
      await firstLook.stop()
      await partial.seal(sizeBytes)
      const hashes = await hasher.finish(sizeBytes)
      isWrong = !matches(hashes, digest)
      if (isWrong) throw wrongHash(file, location, hashes)
      await partial.close()
      await store.addBlob(partial.dataPath, hashes.sha256)
      await partial.delete()
      return hashes.sha256
    } catch (error) {
      await Promise.all([hasher.stop(), firstLook.stop()])
      isWrong ||= firstLook.signal.aborted
      count(-countedBytes, false)
      // A full disk has no room for a journal either; the last one still tells most of it.
      if (!isWrong) await partial.saveJournal().catch(() => {})
      await partial.close()
      if (isWrong) await partial.delete()
      throw error
    }
  }
}

function wrongHash(
  { path, digest }: ResolvedFile,
  location: HttpLocation,
  hashes: ContentHashes,
): WeightsError {
  const found = digest?.kind === 'git-sha1' ? hashes.gitSha1 : hashes.sha256
  return new WeightsError(
    'wrong_content',
    `${path} from ${hostOf(location)} has the hash ${found}, promised was ${digest?.hex}; it is deleted, pull again`,
  )
}

/** The same content has the same partial file, whichever model it is part of. */
function partialKey({ digest, path, locations }: ResolvedFile, reference: string): string {
  if (digest !== null) return `${digest.kind}-${digest.hex}`
  const place = locations.map((each) => (each.kind === 'http' ? each.url : each.path)).join(' ')
  return createHash('sha256').update(`${reference} ${path} ${place}`).digest('hex')
}

function about({ path, sizeBytes }: ResolvedFile): { path: string; sizeBytes: number | null } {
  return { path, sizeBytes }
}

function isHttp(location: HttpLocation | LocalLocation): location is HttpLocation {
  return location.kind === 'http'
}

/** For messages: without a query, which may hold a signature. */
function placeOf({ url }: HttpLocation): string {
  const { host, pathname } = new URL(url)
  return `${host}${pathname}`
}

function hostOf(location: HttpLocation | undefined): string {
  return location === undefined ? 'nobody' : new URL(location.url).host
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(bytes < 1e9 ? 3 : 1)} GB`
}
