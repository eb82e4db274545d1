/**
 * The language of the emulator: sentences that mean nothing in particular, word for word decided
 * by a seed. Any word can be had without those before it, so an answer can be continued from
 * anywhere, and every word is one token.
 */

/** One list a place in the sentence; some words are there for their characters. */
const sentence: readonly (readonly string[])[] = [
  ['The', 'A', 'Every', 'One', 'This', 'Another', 'No', 'That'],
  [
    'quiet',
    'patient',
    'naïve',
    'distant',
    'bright',
    'careful',
    'old',
    'silver',
    'señorial',
    'warm',
  ],
  [
    'harbour',
    'engine',
    'café',
    'garden',
    'library',
    'station',
    'river',
    'workshop',
    'Zürich',
    'fox',
  ],
  [
    'carries',
    'measures',
    'follows',
    'remembers',
    'answers',
    'repairs',
    'crosses',
    'weighs',
    'draws',
  ],
  ['a', 'the', 'some', 'its', 'every', 'another', 'one'],
  [
    'small',
    'heavy',
    'forgotten',
    'blue',
    'folded',
    'precise',
    'curious',
    'déjà-vu',
    'hollow',
    'new',
  ],
  [
    'letter',
    'lantern',
    'map',
    'clock',
    'bridge',
    'number',
    '東京',
    'signal',
    'kettle',
    '🚢',
    'token',
  ],
  ['before', 'after', 'beside', 'without', 'under', 'near', 'beyond', 'towards'],
  ['noon.', 'winter.', 'dawn.', 'Málaga.', 'midnight.', 'home.', 'Ærø.', 'rain.', 'Łódź.', 'work.'],
]

export const wordsPerSentence = sentence.length

/** The nth word of the endless text of a seed, with the space that parts it from the one before. */
export function wordAt(seed: number, index: number): string {
  const list = sentence[index % wordsPerSentence] ?? []
  const word = list[mix(seed, index) % list.length] ?? ''
  return index === 0 ? word : ` ${word}`
}

/** How many words a text has when nobody limits it: four to ten sentences, about 64 words. */
export function naturalLength(seed: number): number {
  return wordsPerSentence * (4 + (mix(seed, -1) % 7))
}

/** Longer runs of characters than this count as several tokens; no word of ours is longer. */
export const charactersPerToken = 12

/** Tokens of a text: one a word, more for very long ones. White space costs nothing. */
export function countTokens(text: string): number {
  let tokens = 0
  let run = 0
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) <= 32) {
      run = 0
    } else {
      if (run === 0) tokens += 1
      run = run === charactersPerToken - 1 ? 0 : run + 1
    }
  }
  return tokens
}

/** The tokens themselves, as {@link countTokens} counts them. */
export function splitTokens(text: string): string[] {
  return text.match(/\s*[^\s]{1,12}/g) ?? []
}

/** A number in a vocabulary of the usual size, the same for the same token. */
export function tokenId(token: string): number {
  return hashText(token) % 128_000
}

/** FNV-1a over UTF-16 units: short, quick, and the same everywhere. */
export function hashText(text: string, seed = 0): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return hash >>> 0
}

/** A number from 0 up to 2^32 that looks like chance and depends on both numbers only. */
export function mix(seed: number, index: number): number {
  let value = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(index + 1, 0xc2b2ae35)
  value = Math.imul(value ^ (value >>> 16), 0x7feb352d)
  value = Math.imul(value ^ (value >>> 15), 0x846ca68b)
  return (value ^ (value >>> 16)) >>> 0
}

/** A number in [0, 1) that depends on both numbers only. */
export function chanceOf(seed: number, index: number): number {
  return mix(seed, index) / 2 ** 32
}
