/** JSON values one a line, as they come in pieces over a connection. */

import { nestsDeeperThan } from '#std/json-depth.ts'

export class JsonLineReader {
  /** May be changed at any time, as when the other side turns out to be somebody. */
  lineBytesMax: number
  /** The beginning of a line whose end has not come; longer than it is filled. */
  #held = nothing
  #heldBytes = 0

  constructor(lineBytesMax: number) {
    this.lineBytesMax = lineBytesMax
  }

  /**
   * The values that this piece completes; blank lines are none. Throws a `SyntaxError` on what is
   * no JSON or too long, and is of no use after that.
   */
  push(piece: Buffer): unknown[] {
    const values: unknown[] = []
    let rest = piece
    for (let end = rest.indexOf(newline); end !== -1; end = rest.indexOf(newline)) {
      this.#hold(rest.subarray(0, end))
      rest = rest.subarray(end + 1)
      const bytes = this.#held.subarray(0, this.#heldBytes)
      if (nestsDeeperThan(bytes, depthMax)) {
        throw new SyntaxError(`a line nests more than ${depthMax} levels deep`)
      }
      const line = bytes.toString('utf8')
      this.#held = nothing
      this.#heldBytes = 0
      if (line.trim() !== '') values.push(JSON.parse(line))
    }
    this.#hold(rest)
    return values
  }

  /** Copied together: a line in a million pieces takes no more memory than in one. */
  #hold(piece: Buffer): void {
    if (piece.length === 0) return
    const bytes = this.#heldBytes + piece.length
    if (bytes > this.lineBytesMax) {
      throw new SyntaxError(`a line is longer than ${this.lineBytesMax} bytes`)
    }
    if (bytes > this.#held.length) {
      const longer = Buffer.allocUnsafe(Math.max(bytes, 2 * this.#held.length))
      this.#held.copy(longer, 0, 0, this.#heldBytes)
      this.#held = longer
    }
    piece.copy(this.#held, this.#heldBytes)
    this.#heldBytes = bytes
  }
}

/** Messages nest a few levels; who reads or writes thousands runs out of stack. */
const depthMax = 64

const newline = 0x0a
const nothing = Buffer.alloc(0)
