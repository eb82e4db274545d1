/**
 * Names for the leading pieces of a prompt, so that two prompts that begin alike can be seen to.
 * Each name stands for its piece and all before it.
 *
 * Bytes of the request stand for tokens: what engines keep is by tokens, but equal bytes are equal
 * tokens, and nothing here knows a tokenizer.
 */

/** 512 tokens of English: engines keep blocks of 16 to 256, and a hit of less saves little. */
export const prefixBlockBytes = 2_048
/** 128 KiB, or 32,000 tokens: what is beyond is worth less than hashing it costs. */
const blocksMax = 64

/** `seed` tells apart what is not in these pieces, as the model. */
export function prefixBlocks(pieces: readonly Buffer[], seed: string): number[] {
  const bytes = pieces.length === 1 ? (pieces[0] as Buffer) : joined(pieces)
  let high = 0x9e3779b9
  let low = 0x85ebca6b
  for (let at = 0; at < seed.length; at++) {
    high = Math.imul(high ^ seed.charCodeAt(at), 0x01000193)
    low = Math.imul(low + seed.charCodeAt(at), 0x9e3779b1)
  }
  const blocks: number[] = []
  const count = Math.min(blocksMax, Math.floor(bytes.length / prefixBlockBytes))
  for (let block = 0; block < count; block++) {
    const end = (block + 1) * prefixBlockBytes
    for (let at = block * prefixBlockBytes; at < end; at += 4) {
      const word =
        (bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24)
      high = Math.imul(high ^ word, 0x85ebca77)
      high ^= high >>> 15
      low = Math.imul(low + word, 0xc2b2ae3d)
      low ^= low >>> 13
    }
    // 53 bits: as many as a number keeps whole.
    blocks.push((high >>> 11) * 0x1_0000_0000 + (low >>> 0))
  }
  return blocks
}

/** No more of them than blocks are made of. */
function joined(pieces: readonly Buffer[]): Buffer {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  return Buffer.concat(pieces, Math.min(length, blocksMax * prefixBlockBytes))
}
