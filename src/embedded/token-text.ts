/** Turns tokens into text, as `LlamaModel.detokenize` does. */
export type Detokenize<Token> = (tokens: readonly Token[], lastTokens: readonly Token[]) => string

/**
 * The longest run of tokens that can hold one incomplete character: a character has four bytes at
 * most. A longer run that still ends in U+FFFD holds bytes that are no UTF-8 at all.
 */
const longestCharacterTokens = 4

/** How much of the past the detokenizer sees, to decide about a leading space. */
const pastTokens = 8

/**
 * Turns a stream of tokens into a stream of text that never holds half a character. A byte-level
 * vocabulary may cut a character in two; its first bytes wait for the rest.
 */
export class TokenText<Token> {
  readonly #detokenize: Detokenize<Token>
  #past: readonly Token[]
  #pending: Token[] = []

  /** `before` are the tokens of the prompt: they decide whether the first word gets a space. */
  constructor(detokenize: Detokenize<Token>, before: readonly Token[]) {
    this.#detokenize = detokenize
    this.#past = before.slice(-pastTokens)
  }

  /** The text that is complete with this token, or nothing while a character is incomplete. */
  push(token: Token): string {
    this.#pending.push(token)
    const text = this.#detokenize(this.#pending, this.#past)
    if (text.endsWith('\uFFFD') && this.#pending.length < longestCharacterTokens) return ''
    this.#past = [...this.#past, ...this.#pending].slice(-pastTokens)
    this.#pending = []
    return text
  }

  /** The text of a run that the answer ended in: its whole characters, not the broken one. */
  flush(): string {
    if (this.#pending.length === 0) return ''
    const text = this.#detokenize(this.#pending, this.#past)
    this.#pending = []
    return text.replace(/\uFFFD+$/, '')
  }
}
