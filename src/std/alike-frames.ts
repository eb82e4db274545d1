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
  readonly #heads: number[] = []
  readonly #tails: number[] = []
  /** Where what differs of each ends in `#bytes`. */
  readonly #ends: number[] = []
  #bytes: Buffer = Buffer.alloc(0)
  #length = 0

  get count(): number {
    return this.#heads.length
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
    this.#append(frame, head, frame.length - tail)
    this.#heads.push(head)
    this.#tails.push(tail)
    this.#ends.push(this.#length)
    this.#last = frame
  }

  /** All of them, in the order in which they came. */
  *frames(): Generator<Buffer> {
    let last: Buffer = Buffer.alloc(0)
    let start = 0
    for (let at = 0; at < this.#heads.length; at++) {
      const end = this.#ends[at] as number
      last = Buffer.concat([
        last.subarray(0, this.#heads[at]),
        this.#bytes.subarray(start, end),
        last.subarray(last.length - (this.#tails[at] as number)),
      ])
      start = end
      yield last
    }
  }

  #append(frame: Buffer, start: number, end: number): void {
    const needed = this.#length + end - start
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(bytesMin, 2 * needed))
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    frame.copy(this.#bytes, this.#length, start, end)
    this.#length = needed
  }
}

/** Room for the first whole frame and some fifty words. */
const bytesMin = 1_024
