/**
 * How many tokens a prompt has, from its bytes. Four bytes a token are usual for English; code,
 * other languages and the JSON around them differ, and engines say afterwards what it was.
 */
import type { ModelName } from '#core/ids.ts'
import type { BodyText } from '#gateway/body-text.ts'
import { bytesPerToken } from '#gateway/prompt-tokens.ts'
import { ewma } from '#std/ewma.ts'

/** About twenty answers are remembered. */
const learnWeight = 0.05
/** What is further off counted something else than text, as pictures. */
const bytesPerTokenMin = 0.5
const bytesPerTokenMax = 20

/** A picture becomes some hundred tokens, however many bytes it has. */
const pictureTokens = 1_000

export class PromptSizes {
  readonly #bytesPerToken = new Map<ModelName, number>()

  bytesPerToken(model: ModelName): number {
    return this.#bytesPerToken.get(model) ?? bytesPerToken
  }

  tokens(model: ModelName, { textBytes, pictures }: BodyText): number {
    return Math.ceil(textBytes / this.bytesPerToken(model)) + pictures * pictureTokens
  }

  /** What an engine counted; `model` is one that is known here, so that these stay few. */
  learn(model: ModelName, { textBytes, pictures }: BodyText, promptTokens: number): void {
    if (promptTokens <= 0 || pictures > 0) return
    const found = textBytes / promptTokens
    if (found < bytesPerTokenMin || found > bytesPerTokenMax) return
    this.#bytesPerToken.set(model, ewma(this.bytesPerToken(model), found, learnWeight))
  }
}
