import type { PrefixBlocks } from '#batching/batch-request.ts'
import { charactersPerToken } from '#emulator/words.ts'

/**
 * What the tokens up to a point are, in blocks of sixteen as engines cache them: each hash depends
 * on all that came before, so that equal ones mean equal beginnings.
 */
export interface Prefix {
  readonly hashes: readonly number[]
  /** Of all characters so far. */
  readonly rolling: number
  /** Tokens in the block that is not closed yet. */
  readonly open: number
}

const blockTokens = 16

export const emptyPrefix: Prefix = { hashes: [], rolling: 0x811c9dc5, open: 0 }

/** Goes on with a text, whose tokens are those that `countTokens` counts. */
export function withText(prefix: Prefix, text: string): Prefix {
  const hashes = [...prefix.hashes]
  let { rolling, open } = prefix
  let run = 0
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (code <= 32) {
      run = 0
    } else {
      if (run === 0) {
        // A block is closed when the next one begins, so that white space never matters.
        if (open === blockTokens) {
          hashes.push(rolling)
          open = 0
        }
        open += 1
      }
      run = run === charactersPerToken - 1 ? 0 : run + 1
      rolling = Math.imul(rolling ^ code, 0x01000193) >>> 0
    }
  }
  return { hashes, rolling, open }
}

/** Goes on with tokens that have no text: those around a message, or an image's. */
export function withTokens(prefix: Prefix, tokens: number, what: number): Prefix {
  const hashes = [...prefix.hashes]
  let { rolling, open } = prefix
  for (let index = 0; index < tokens; index += 1) {
    if (open === blockTokens) {
      hashes.push(rolling)
      open = 0
    }
    open += 1
    rolling = Math.imul(rolling ^ what, 0x01000193) >>> 0
  }
  return { hashes, rolling, open }
}

/** As the cache wants it. Prefixes of different models have nothing to do with each other. */
export function blocksOf({ hashes, rolling, open }: Prefix, modelHash: number): PrefixBlocks {
  const closed = open === blockTokens ? [...hashes, rolling] : hashes
  const namespace = (modelHash % 2 ** 20) * 2 ** 32
  return {
    hashes: closed.map((hash) => namespace + hash),
    blockTokens,
    tokens: closed.length * blockTokens,
  }
}
