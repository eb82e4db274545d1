/**
 * Words of three letters: with the blank before it, each is one token of most vocabularies, and four
 * characters, which is what a token is taken for where nobody counts.
 */
const words =
  'the and for are but not you all any can had her was one our out day get has him his how man new now old see two way who boy did its let put say she too use'.split(
    ' ',
  )

/**
 * Text of about so many tokens. It begins with a number of its own, so that no cache of prefixes
 * answers in place of the engine.
 */
export function promptText(tokens: number, own: number): string {
  const parts = [`Request ${own}:`]
  let state = own >>> 0
  for (let count = 3; count < tokens; count++) {
    // Numerical Recipes' generator: any order of the words will do, as long as it repeats.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    parts.push(words[(state >>> 8) % words.length] as string)
  }
  return parts.join(' ')
}
