/**
 * Cuts a byte stream into frames that end at a blank line (server-sent events) or at a line end
 * (NDJSON), however the bytes were cut on the way. Frames keep their bytes exactly, line ends
 * included, so that what is passed on is what came in.
 */
export type Framing = 'sse' | 'ndjson'

const lineFeed = 0x0a
const carriageReturn = 0x0d

/** A line end may straddle a cut, at most as CR LF CR: so many bytes of what came before matter. */
const overlapBytes = 3

export class FrameSplitter {
  readonly #framing: Framing
  /** Pieces of a frame that has begun and not ended; joined once, when it ends. */
  #parts: Buffer[] = []
  #partsBytes = 0

  constructor(framing: Framing) {
    this.#framing = framing
  }

  /** How much of an unfinished frame is being held back. */
  get heldBytes(): number {
    return this.#partsBytes
  }

  /** Takes the unfinished frame out, as at the end of the stream; null when there is none. */
  takeRest(): Buffer | null {
    if (this.#partsBytes === 0) return null
    const rest = Buffer.concat(this.#parts)
    this.#parts = []
    this.#partsBytes = 0
    return rest
  }

  /** Calls `visit` with each frame that `chunk` completes. */
  push(chunk: Buffer, visit: (frame: Buffer) => void): void {
    let start = 0
    if (this.#partsBytes > 0) {
      const before = this.#lastBytes()
      const end = this.#frameEnd(Buffer.concat([before, chunk]), 0)
      if (end === -1) {
        this.#hold(chunk)
        return
      }
      start = end - before.length
      this.#hold(chunk.subarray(0, start))
      visit(this.takeRest() as Buffer)
    }
    while (start < chunk.length) {
      const end = this.#frameEnd(chunk, start)
      if (end === -1) {
        this.#hold(chunk.subarray(start))
        return
      }
      visit(chunk.subarray(start, end))
      start = end
    }
  }

  #frameEnd(bytes: Buffer, from: number): number {
    return this.#framing === 'sse' ? blankLineEnd(bytes, from) : lineEnd(bytes, from)
  }

  #hold(part: Buffer): void {
    this.#parts.push(part)
    this.#partsBytes += part.length
  }

  #lastBytes(): Buffer {
    const last = this.#parts[this.#parts.length - 1] as Buffer
    if (last.length >= overlapBytes || this.#parts.length === 1) return last.subarray(-overlapBytes)
    return Buffer.concat(this.#parts.slice(-overlapBytes)).subarray(-overlapBytes)
  }
}

function lineEnd(bytes: Buffer, from: number): number {
  const at = bytes.indexOf(lineFeed, from)
  return at === -1 ? -1 : at + 1
}

/** The offset after the first blank line at or after `from`; lines end in LF, CR LF or CR. */
function blankLineEnd(bytes: Buffer, from: number): number {
  const fast = bytes.indexOf('\n\n', from, 'latin1')
  const carriage = bytes.indexOf(carriageReturn, from)
  if (carriage === -1 || (fast !== -1 && fast < carriage)) return fast === -1 ? -1 : fast + 2
  for (let at = from; at < bytes.length; at++) {
    const first = lineEndLength(bytes, at)
    if (first === 0) continue
    const second = lineEndLength(bytes, at + first)
    if (second !== 0) return at + first + second
    // A CR at the very end may be the first half of CR LF: the next chunk tells.
    at += first - 1
  }
  return -1
}

function lineEndLength(bytes: Buffer, at: number): number {
  const byte = bytes[at]
  if (byte === lineFeed) return 1
  if (byte !== carriageReturn) return 0
  return bytes[at + 1] === lineFeed ? 2 : 1
}
