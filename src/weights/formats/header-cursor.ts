/**
 * Reads a header from front to back through a small window, so that neither a long vocabulary nor
 * a hostile length decides how much memory is used or how much is fetched from afar.
 */
import type { ByteSource } from '#weights/byte-source.ts'
import { WeightsError } from '#weights/weights-error.ts'

/**
 * The first fetch: most headers without their vocabulary fit. Later ones are larger, because
 * every fetch from a hub costs a round trip.
 */
const firstWindowBytes = 256 * 1024
const windowBytesMax = 4 * 1024 * 1024

/** The largest headers known have 20 MB of vocabulary; beyond this somebody is playing with us. */
const headerBytesMax = 256 * 1024 * 1024

/** Longer texts are passed over: the longest chat templates have 100 KB. */
const keptTextBytesMax = 1024 * 1024

const utf8 = new TextDecoder('utf-8')

export class HeaderCursor {
  readonly #source: ByteSource
  #window: Buffer = Buffer.alloc(0)
  #windowOffset = 0
  #at = 0
  #nextWindowBytes = firstWindowBytes

  constructor(source: ByteSource) {
    this.#source = source
  }

  /** Bytes from the start of the file to here. */
  get offset(): number {
    return this.#windowOffset + this.#at
  }

  get remainingBytes(): number {
    return this.#source.sizeBytes - this.offset
  }

  /** Makes `length` bytes readable at once. Waits only where the window has run out. */
  need(length: number): Promise<void> | undefined {
    return this.#at + length <= this.#window.length ? undefined : this.#fill(length)
  }

  /** The number of these many bytes here. Call {@link need} first. */
  uint32(): number {
    this.#at += 4
    return this.#window.readUInt32LE(this.#at - 4)
  }

  /** As a double: lengths beyond 2^53 lose digits there, and are too long anyway. */
  uint64(): number {
    this.#at += 8
    const low = this.#window.readUInt32LE(this.#at - 8)
    return low + this.#window.readUInt32LE(this.#at - 4) * 2 ** 32
  }

  /** A view of the bytes here, gone after the next {@link need}. */
  bytes(length: number): Buffer {
    this.#at += length
    return this.#window.subarray(this.#at - length, this.#at)
  }

  async readUint32(): Promise<number> {
    await this.need(4)
    return this.uint32()
  }

  async readUint64(): Promise<number> {
    await this.need(8)
    return this.uint64()
  }

  /** A text of so many bytes; null, and passed over, when it is longer than anybody needs. */
  async readText(length: number, what: string): Promise<string | null> {
    if (length > keptTextBytesMax) {
      this.skip(length, what)
      return null
    }
    await this.need(length)
    return utf8.decode(this.bytes(length))
  }

  /** @throws {WeightsError} */
  skip(length: number, what: string): void {
    if (!(length <= this.remainingBytes)) throw this.cut(what, length)
    const at = this.#at + length
    if (at <= this.#window.length) {
      this.#at = at
      return
    }
    this.#windowOffset += at
    this.#window = Buffer.alloc(0)
    this.#at = 0
    this.#checkHeaderSize(0)
  }

  /** The file ends before its header does. */
  cut(what: string, neededBytes?: number): WeightsError {
    const needs = neededBytes === undefined ? '' : ` (${neededBytes} bytes)`
    return new WeightsError(
      'bad_file',
      `${this.#source.name} is cut off or damaged: ${what}${needs} at byte ${this.offset} does not fit into ${this.#source.sizeBytes} bytes; download it again`,
    )
  }

  damaged(what: string): WeightsError {
    return new WeightsError(
      'bad_file',
      `${this.#source.name} is damaged at byte ${this.offset}: ${what}; download it again`,
    )
  }

  async #fill(length: number): Promise<void> {
    if (!(length <= this.remainingBytes)) throw this.cut('the header')
    this.#checkHeaderSize(length)
    const rest = this.#window.subarray(this.#at)
    this.#windowOffset += this.#at
    this.#at = 0
    const wanted = Math.max(length, this.#nextWindowBytes) - rest.length
    this.#nextWindowBytes = Math.min(windowBytesMax, this.#nextWindowBytes * 4)
    const more = await this.#source.read(this.#windowOffset + rest.length, wanted)
    this.#window = rest.length === 0 ? more : Buffer.concat([rest, more])
    if (this.#window.length < length) throw this.cut('the header')
  }

  #checkHeaderSize(length: number): void {
    if (this.offset + length <= headerBytesMax) return
    throw new WeightsError(
      'bad_file',
      `${this.#source.name} has a header of more than ${headerBytesMax} bytes: no model needs that`,
    )
  }
}
