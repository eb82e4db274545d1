/** JSON values one a line, as they come in pieces over a connection. */

export class JsonLineReader {
  readonly #lineBytesMax: number
  #pieces: Buffer[] = []
  #heldBytes = 0

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax
  }

  /** The values that this piece completes. Throws a `SyntaxError` on what is no JSON or too long. */
  push(piece: Buffer): unknown[] {
    const values: unknown[] = []
    let rest = piece
    for (let end = rest.indexOf(newline); end !== -1; end = rest.indexOf(newline)) {
      this.#hold(rest.subarray(0, end))
      rest = rest.subarray(end + 1)
      const line = Buffer.concat(this.#pieces).toString('utf8')
      this.#pieces = []
      this.#heldBytes = 0
      if (line.trim() !== '') values.push(JSON.parse(line))
    }
    this.#hold(rest)
    return values
  }

  #hold(piece: Buffer): void {
    if (piece.length === 0) return
    this.#heldBytes += piece.length
    if (this.#heldBytes > this.#lineBytesMax) {
      throw new SyntaxError(`a line is longer than ${this.#lineBytesMax} bytes`)
    }
    this.#pieces.push(piece)
  }
}

const newline = 0x0a
