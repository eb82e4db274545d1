/**
 * How many tokens a prompt has, from its bytes. Four bytes a token are usual for English; code,
 * other languages and the JSON around them differ, and engines say afterwards what it was.
 */
import type { ModelName } from '#core/ids.ts'
import { bytesPerToken } from '#gateway/prompt-tokens.ts'
import { ewma } from '#std/ewma.ts'

/** About twenty answers are remembered. */
const learnWeight = 0.05
/** What is further off counted something else than text, as pictures. */
const bytesPerTokenMin = 0.5
const bytesPerTokenMax = 20

/** Smaller bodies hold no picture that is worth the search. */
const searchedBytesMin = 4_096
/** A picture becomes some hundred tokens, however many bytes it has. */
const pictureTokens = 1_000
const pictureStart = Buffer.from(';base64,')
const quote = 0x22

/** Of the JSON of a request: what of it is text, and how many pictures and sounds lie in it. */
function textOf(body: Buffer): { readonly textBytes: number; readonly pictures: number } {
  let textBytes = body.length
  let pictures = 0
  if (body.length < searchedBytesMin) return { textBytes, pictures }
  for (let at = body.indexOf(pictureStart); at !== -1; at = body.indexOf(pictureStart, at)) {
    const end = body.indexOf(quote, at)
    if (end === -1) break
    textBytes -= end - at
    pictures++
    at = end
  }
  return { textBytes, pictures }
}

export class PromptSizes {
  readonly #bytesPerToken = new Map<ModelName, number>()

  bytesPerToken(model: ModelName): number {
    return this.#bytesPerToken.get(model) ?? bytesPerToken
  }

  tokens(model: ModelName, body: Buffer): number {
    const { textBytes, pictures } = textOf(body)
    return Math.ceil(textBytes / this.bytesPerToken(model)) + pictures * pictureTokens
  }

  /** What an engine counted; `model` is one that is known here, so that these stay few. */
  learn(model: ModelName, body: Buffer, promptTokens: number): void {
    if (promptTokens <= 0) return
    const { textBytes, pictures } = textOf(body)
    if (pictures > 0) return
    const found = textBytes / promptTokens
    if (found < bytesPerTokenMin || found > bytesPerTokenMax) return
    this.#bytesPerToken.set(model, ewma(this.bytesPerToken(model), found, learnWeight))
  }
}
