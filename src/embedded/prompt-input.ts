/** Reads a prompt or an input, which the OpenAI API takes as text or as tokens, one or many. */
import type { Token } from 'node-llama-cpp'
import type { EmbeddedEngine } from '#embedded/embedded-engine.ts'
import { shown } from '#embedded/fields.ts'
import { tokenizePrompt } from '#embedded/loaded-model.ts'
import { invalidValue, RequestError } from '#embedded/request-error.ts'

/** Bounds the work of one request; OpenAI takes 2048 inputs as well. */
const promptsMax = 2048

/** The given prompts, each as tokens. `name` is the field they came from. */
export function readPrompts(
  engine: EmbeddedEngine,
  value: unknown,
  name: string,
): readonly Token[][] {
  if (typeof value === 'string') return [textTokens(engine, value)]
  if (Array.isArray(value) && value.length > 0) {
    if (typeof value[0] === 'number') return [readTokens(engine, value, name)]
    if (value.length > promptsMax) {
      throw invalidValue(
        name,
        `${name} holds ${value.length} prompts; ${promptsMax} at most are allowed.`,
      )
    }
    return value.map((item: unknown, index) => {
      if (typeof item === 'string') return textTokens(engine, item)
      return readTokens(engine, item, `${name}[${index}]`)
    })
  }
  throw invalidValue(
    name,
    `${name} is ${shown(value)}; it must be a string, an array of token ids, or a non-empty array of either.`,
  )
}

/** Checks an array of token ids against the vocabulary. */
export function readTokens({ loaded }: EmbeddedEngine, value: unknown, name: string): Token[] {
  const { vocabularyTokens } = loaded.facts
  const isToken = (item: unknown): item is Token =>
    Number.isInteger(item) && (item as number) >= 0 && (item as number) < vocabularyTokens
  if (Array.isArray(value) && value.every(isToken)) return value
  throw invalidValue(
    name.replace(/\[.*/, ''),
    `${name} is ${shown(value)}; it must hold token ids from 0 to ${vocabularyTokens - 1}.`,
  )
}

/** The longest tokens of real vocabularies are runs of 128 blanks. */
const charactersPerTokenMax = 256

/** Refuses text that cannot fit, before every other answer waits for it to be tokenised. */
export function checkTextLength(
  { contextTokens }: Pick<EmbeddedEngine, 'contextTokens'>,
  characters: number,
): void {
  if (characters <= contextTokens * charactersPerTokenMax) return
  throw new RequestError(
    400,
    `The prompt has ${characters} characters; they cannot fit into the ${contextTokens} tokens of this context.`,
    { type: 'exceed_context_size_error', code: 'context_length_exceeded' },
  )
}

/** A raw prompt is the client's own: what spells a control token in it becomes one. */
export function textTokens(engine: EmbeddedEngine, text: string): Token[] {
  const { loaded } = engine
  checkTextLength(engine, text.length)
  return tokenizePrompt(loaded.model, [{ text, control: true }])
}
