/** One replacement in a run of bytes: what stands from `start` to `end` becomes `text`. */
export interface Splice {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** Applies splices that do not overlap, given in rising order. Everything else stays byte for byte. */
export function spliceBytes(bytes: Buffer, splices: readonly Splice[]): Buffer {
  if (splices.length === 0) return bytes
  const parts: Buffer[] = []
  let at = 0
  for (const { start, end, text } of splices) {
    parts.push(bytes.subarray(at, start), Buffer.from(text))
    at = end
  }
  parts.push(bytes.subarray(at))
  return Buffer.concat(parts)
}
