/**
 * The bytes of single tokens. A token may be a part of a character, which has no text of its own;
 * `logprobs` give its bytes so that a client can put characters together.
 */
export type TokenBytes = (token: number) => readonly number[] | null

/** `tokens` and `model` as in a GGUF file (`tokenizer.ggml.tokens`, `tokenizer.ggml.model`). */
export function createTokenBytes(tokens: readonly string[], model: string): TokenBytes {
  if (model === 'gpt2') return (token) => bytesOfByteLevel(tokens[token])
  return (token) => bytesOfSentencePiece(tokens[token])
}

/** Byte-level vocabularies write each byte as one printable character. */
function bytesOfByteLevel(text: string | undefined): readonly number[] | null {
  if (text === undefined) return null
  const bytes: number[] = []
  for (const character of text) {
    const byte = byteOfCharacter.get(character)
    // A control token is spelled as plain text, in characters that no byte is written as.
    if (byte === undefined) return [...Buffer.from(text)]
    bytes.push(byte)
  }
  return bytes
}

/** SentencePiece vocabularies write a space as U+2581 and a lone byte as `<0xE2>`. */
function bytesOfSentencePiece(text: string | undefined): readonly number[] | null {
  if (text === undefined) return null
  const [, hex] = /^<0x([0-9A-F]{2})>$/.exec(text) ?? []
  if (hex !== undefined) return [Number.parseInt(hex, 16)]
  return [...Buffer.from(text.replaceAll('\u2581', ' '))]
}

/** Printable Latin-1 stands for itself; the other bytes, in order, begin at U+0100. */
const byteOfCharacter: ReadonlyMap<string, number> = new Map(
  (() => {
    const pairs: [string, number][] = []
    let next = 0x100
    for (let byte = 0; byte < 0x100; byte++) {
      const printable =
        (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
      pairs.push([String.fromCodePoint(printable ? byte : next++), byte])
    }
    return pairs
  })(),
)
