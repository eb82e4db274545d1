/**
 * What an engine writes, in a file that both it and we hold open. It writes straight into the file,
 * so that it can go on when the agent has died. The file is bounded: what it holds is copied into
 * an older file from time to time, and cut off. A pipe would do neither.
 *
 * Offsets count all bytes that were ever written, so that a reader can follow over a cut. The older
 * file carries the offset of its first byte in its name; nothing else must be remembered.
 *
 *   chat-0.log.8388608   bytes 8388608 up to 16777216
 *   chat-0.log           bytes from 16777216
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs'
import { open, readdir, rename, rm, stat, truncate } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { maskSecrets } from '#agent/replicas/mask-secrets.ts'
import { makeFolderSync } from '#std/make-folder.ts'

export interface LogPage {
  /** Whole lines, without colours and secrets; a line longer than the page comes in parts. */
  readonly text: string
  /** Where the next page begins. */
  readonly nextOffset: number
  /** Bytes that were asked for and are no longer there. */
  readonly skippedBytes: number
}

export interface LogFileOptions {
  readonly path: string
  /** What is masked beside what looks like a secret. */
  readonly secrets: readonly string[]
  /** Left out: 8 MiB, an hour or two of an engine that logs each request. Two files are kept. */
  readonly bytesMax?: number
}

const bytesMaxDefault = 8 * 1024 * 1024

/** Where an engine's last words are looked for: a Python traceback through C++ is 10 to 20 KB. */
const tailBytes = 64 * 1024

/** A page smaller than one character would never come to an end. */
const pageBytesMin = 1024

/** A last line that is longer says nothing more. */
const lineCharactersMax = 500

export class LogFile {
  readonly path: string
  #secrets: readonly string[]
  readonly #bytesMax: number
  /** Offset of the first byte of the file itself. */
  #base: number
  /** One after the other: a page must not be read while the file is cut. */
  #queue: Promise<unknown> = Promise.resolve()

  private constructor(options: LogFileOptions, base: number) {
    this.path = options.path
    this.#secrets = options.secrets
    this.#bytesMax = options.bytesMax ?? bytesMaxDefault
    this.#base = base
  }

  /** Opens it, or makes it with its folder. Only the user who runs the agent may read it. */
  static async open(options: LogFileOptions): Promise<LogFile> {
    makeFolderSync(dirname(options.path), { mode: 0o700 })
    closeSync(openAppending(options.path))
    const [older] = await olderFiles(options.path)
    return new LogFile(options, older === undefined ? 0 : older.offset + older.bytes)
  }

  /** What is masked from now on, in place of what was given before. */
  hide(secrets: readonly string[]): void {
    this.#secrets = secrets
  }

  /** A descriptor for an engine to write to; the caller closes its copy. */
  openForEngine(): number {
    return openAppending(this.path)
  }

  /** Writes a line of our own, on a line of its own. */
  note(line: string): void {
    const file = openSync(this.path, 'a+', 0o600)
    try {
      const { size } = fstatSync(file)
      const last = Buffer.from('\n')
      if (size > 0) readSync(file, last, 0, 1, size - 1)
      const atLineStart = last[0] === newline
      writeSync(file, `${atLineStart ? '' : '\n'}${ownLine}${line}\n`)
    } finally {
      closeSync(file)
    }
  }

  /** Offset after the last byte. */
  endOffset(): Promise<number> {
    return this.#inTurn(() => this.#end())
  }

  /** `after`: the `nextOffset` of the page before; null for the last `limitBytes` there are. */
  read(after: number | null, limitBytes = tailBytes): Promise<LogPage> {
    return this.#inTurn(async () => {
      const limit = Math.max(limitBytes, pageBytesMin)
      const end = await this.#end()
      const oldest = (await olderFiles(this.path))[0]?.offset ?? this.#base
      // An offset from beyond the end is of a log that has been forgotten.
      const wanted = after === null ? end - limit : after > end ? oldest : after
      const from = Math.max(wanted, oldest)
      const bytes = await this.#bytes(from, Math.min(end, from + limit))
      const start = after === null && from > oldest ? bytes.indexOf(newline) + 1 : 0
      const cut = pageEnd(bytes, limit)
      return {
        text: cut <= start ? '' : this.#clean(bytes.toString('utf8', start, cut)),
        nextOffset: from + Math.max(cut, start),
        skippedBytes: after === null ? 0 : Math.max(0, from - wanted),
      }
    })
  }

  /** Up to 64 KiB of the newest text after an offset, an unfinished line included. */
  tail(after: number): Promise<string> {
    return this.#inTurn(async () => {
      const end = await this.#end()
      const bytes = await this.#bytes(Math.max(after, end - tailBytes), end)
      return this.#clean(bytes.toString('utf8'))
    })
  }

  /** Cuts it when it has grown too large. Returns whether it was. */
  bound(): Promise<boolean> {
    return this.#inTurn(async () => {
      const size = await sizeOf(this.path)
      if (size <= this.#bytesMax) return false
      const before = await olderFiles(this.path)
      // Nobody cut it while the agent was away, so it may be far too large: its newest part stays.
      const from = size - this.#bytesMax
      const olderPath = `${this.path}.${this.#base + from}`
      try {
        const copiedTo = await this.#moveOut(from, `${olderPath}.part`)
        await rename(`${olderPath}.part`, olderPath)
        this.#base += copiedTo
      } catch (error) {
        // A full disk, as a rule: then the log must not be what fills it.
        for (const { path } of [...before, { path: `${olderPath}.part` }]) {
          await rm(path, { force: true })
        }
        await truncate(this.path, 0)
        this.#base += size
        throw error
      }
      for (const { path } of before) if (path !== olderPath) await rm(path, { force: true })
      return true
    })
  }

  async remove(): Promise<void> {
    await this.#inTurn(async () => {
      for (const { path } of await olderFiles(this.path)) await rm(path, { force: true })
      await rm(this.path, { force: true })
      this.#base = 0
    })
  }

  /**
   * Copies from there on and empties the file. The engine goes on writing meanwhile: what it writes
   * between the last look at the size and the cut, some microseconds, is lost.
   */
  async #moveOut(from: number, partPath: string): Promise<number> {
    const part = await open(partPath, 'w', 0o600)
    const file = openSync(this.path, constants.O_RDWR)
    try {
      const chunk = Buffer.alloc(1024 * 1024)
      let position = from
      for (;;) {
        const bytes = readSync(file, chunk, 0, chunk.length, position)
        if (bytes > 0) await part.write(chunk.subarray(0, bytes))
        position += bytes
        if (position < fstatSync(file).size) continue
        ftruncateSync(file, 0)
        await part.sync()
        return position
      }
    } finally {
      closeSync(file)
      await part.close()
    }
  }

  async #end(): Promise<number> {
    return this.#base + (await sizeOf(this.path))
  }

  async #bytes(from: number, to: number): Promise<Buffer> {
    const [older] = await olderFiles(this.path)
    const parts: Buffer[] = []
    if (older !== undefined && from < this.#base) {
      parts.push(
        await slice(older.path, from - older.offset, Math.min(to, this.#base) - older.offset),
      )
    }
    if (to > this.#base) {
      parts.push(await slice(this.path, Math.max(0, from - this.#base), to - this.#base))
    }
    return Buffer.concat(parts)
  }

  #clean(text: string): string {
    return maskSecrets(printable(text), this.#secrets)
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#queue.then(work)
    this.#queue = result.catch(() => {})
    return result
  }
}

/** The last lines of an engine that are not empty, oldest first. Ours are left out. */
export function lastLines(text: string, linesMax: number): string[] {
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '' && !line.startsWith(ownLine))
    .slice(-linesMax)
    .map((line) =>
      line.length > lineCharactersMax ? `${line.slice(0, lineCharactersMax)}…` : line,
    )
}

/** What a line of our own begins with. */
const ownLine = 'motley: '

const newline = 0x0a
const carriageReturn = 0x0d

/**
 * Without colours and the like. Of a line that was written over, as progress bars do, the last
 * state stays.
 */
function printable(text: string): string {
  const lines = stripVTControlCharacters(text)
    .split('\n')
    .map((line) => {
      const states = line.endsWith('\r') ? line.slice(0, -1) : line
      return states.slice(states.lastIndexOf('\r') + 1)
    })
  return (lines.join('\n') + (text.endsWith('\r') ? '\n' : '')).replace(controlCharacters, '')
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controlCharacters = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g

/**
 * How much of these bytes makes a page: whole lines; or, of a line that fills the page, whole
 * words, so that no secret is cut in two; or whole characters.
 */
function pageEnd(bytes: Buffer, limit: number): number {
  const lineEnd = Math.max(bytes.lastIndexOf(newline), bytes.lastIndexOf(carriageReturn)) + 1
  if (lineEnd > 0 || bytes.length < limit) return lineEnd
  const wordEnd = bytes.lastIndexOf(0x20) + 1
  if (wordEnd > limit / 2) return wordEnd
  let last = bytes.length - 1
  while (last > 0 && isContinuation(bytes[last])) last--
  return last === 0 ? bytes.length : last
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80
}

function openAppending(path: string): number {
  return openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND, 0o600)
}

interface OlderFile {
  readonly path: string
  readonly offset: number
  readonly bytes: number
}

/** The newest first. More than one is left only by a crash in mid-cut. */
async function olderFiles(path: string): Promise<OlderFile[]> {
  const prefix = `${basename(path)}.`
  const found: OlderFile[] = []
  for (const name of await readdir(dirname(path))) {
    const offset = name.startsWith(prefix) ? name.slice(prefix.length) : ''
    if (!/^\d+$/.test(offset)) continue
    const olderPath = join(dirname(path), name)
    found.push({ path: olderPath, offset: Number(offset), bytes: (await stat(olderPath)).size })
  }
  return found.sort((a, b) => b.offset - a.offset)
}

/** 0 when somebody has removed it: the engine goes on writing, and nobody will ever see it. */
async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => null)
  return found?.size ?? 0
}

/** These bytes of a file; fewer when it has become shorter or is gone. */
async function slice(path: string, from: number, to: number): Promise<Buffer> {
  const file = await open(path, 'r').catch(() => null)
  if (file === null) return Buffer.alloc(0)
  try {
    const bytes = Buffer.alloc(Math.max(0, to - from))
    const { bytesRead } = await file.read(bytes, 0, bytes.length, from)
    return bytes.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
