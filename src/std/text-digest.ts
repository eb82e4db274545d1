/** A short name for a text: the same text has the same one. No protection against anybody. */

const offset = 0xcbf29ce484222325n
const prime = 0x100000001b3n
const low = 0xffffffffn

/** 16 hexadecimal digits: FNV-1a of 64 bit over UTF-16 code units. */
export function textDigest(text: string): string {
  // In two halves of 32 bit, because a BigInt for every character would take fifty times as long.
  let high = Number(offset >> 32n)
  let rest = Number(offset & low)
  const primeLow = Number(prime & low)
  const primeHigh = Number(prime >> 32n)
  for (let at = 0; at < text.length; at += 1) {
    rest = (rest ^ text.charCodeAt(at)) >>> 0
    const product = rest * primeLow
    const carry = Math.floor(product / 2 ** 32)
    high = (Math.imul(high, primeLow) + Math.imul(rest, primeHigh) + carry) >>> 0
    rest = product >>> 0
  }
  return high.toString(16).padStart(8, '0') + rest.toString(16).padStart(8, '0')
}
