/**
 * The same bytes in pieces that end inside characters where there are any, and else in the middle
 * of a line: what a slow network does to a stream.
 */
export function splitAwkwardly(bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = []
  let from = 0
  for (let index = 1; index < bytes.length; index += 1) {
    const isInsideCharacter = ((bytes[index] ?? 0) & 0xc0) === 0x80
    if (!isInsideCharacter && index - from < pieceBytesMax) continue
    pieces.push(bytes.subarray(from, index))
    from = index
  }
  pieces.push(bytes.subarray(from))
  return pieces
}

/** An odd number, so that the borders wander through the lines. */
const pieceBytesMax = 97
