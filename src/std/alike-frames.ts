/**
 * Runs of bytes each of which is much like the one before, as the events of one stream are: kept as
 * what differs and where, some thirty bytes of two hundred.
 *
 *   data: {"id":"c1","choices":[{"delta":{"content":"The"}}]}
 *   data: {"id":"c1","choices":[{"delta":{"content":" old"}}]}
 *          ╰──────────── head, not kept ──────────╯ ╰╯ ╰─ tail, not kept
 */
export class AlikeFrames {
  /** The whole of the last one. */
  #last: Buffer = Buffer.alloc(0)
  #count = 0
  /** Of each frame how long head, tail and middle are, and then the middle. */
  #bytes: Buffer = Buffer.alloc(0)
  #length = 0

  get count(): number {
    return this.#count
  }

  add(frame: Buffer): void {
    const last = this.#last
    const most = Math.min(last.length, frame.length)
    let head = 0
    while (head < most && last[head] === frame[head]) head++
    let tail = 0
    while (tail < most - head && last[last.length - 1 - tail] === frame[frame.length - 1 - tail]) {
      tail++
    }
    const end = frame.length - tail
    this.#makeRoom(3 * numberBytesMax + end - head)
    this.#putNumber(head)
    this.#putNumber(tail)
    this.#putNumber(end - head)
    this.#length += frame.copy(this.#bytes, this.#length, head, end)
    this.#count++
    this.#last = frame
  }

  /** All of them, in the order in which they came. */
  *frames(): Generator<Buffer> {
    const bytes = this.#bytes
    let at = 0
    const takeNumber = (): number => {
      let value = 0
      for (let unit = 1; ; unit *= 128) {
        const byte = bytes[at++] as number
        value += (byte % 128) * unit
        if (byte < 128) return value
      }
    }
    let last: Buffer = Buffer.alloc(0)
    for (let left = this.#count; left > 0; left--) {
      const head = last.subarray(0, takeNumber())
      const tail = last.subarray(last.length - takeNumber())
      const length = takeNumber()
      last = Buffer.concat([head, bytes.subarray(at, at + length), tail])
      at += length
      yield last
    }
  }

  /** Seven bits a byte, the lowest first; all but the last byte have the eighth. */
  #putNumber(value: number): void {
    let left = value
    while (left >= 128) {
      this.#bytes[this.#length++] = 128 + (left % 128)
      left = Math.floor(left / 128)
    }
    this.#bytes[this.#length++] = left
  }

  #makeRoom(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(bytesMin, Math.ceil(1.5 * needed)))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}

/** Of lengths below 2 GiB. */
const numberBytesMax = 5

/** Room for the first whole frame and some fifty words. */
const bytesMin = 1_024
