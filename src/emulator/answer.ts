import type { PrefixBlocks } from '#batching/batch-request.ts'
import type { Conversation } from '#emulator/conversation.ts'
import type { Dialect } from '#emulator/dialect.ts'
import { blocksOf, withText } from '#emulator/prefix.ts'
import {
  type Fields,
  fieldsField,
  isFields,
  listField,
  textField,
} from '#emulator/request-fields.ts'
import { countTokens, hashText, mix, naturalLength, wordAt } from '#emulator/words.ts'

/** One token of an answer. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'reasoning'; readonly text: string }
  /** The first piece of a call has no text; those after it carry its arguments. */
  | { readonly kind: 'tool'; readonly id: string; readonly name: string; readonly text: string }

export type FinishReason = 'stop' | 'length' | 'tool_calls'

export interface Choice {
  readonly pieces: readonly Piece[]
  readonly finishReason: FinishReason
}

/** All that will be said, known before the first token is due. */
export interface Answer {
  readonly choices: readonly Choice[]
  readonly promptTokens: number
  /** Of all choices together. */
  readonly outputTokens: number
  /** Tokens until the longest choice is done: choices are decoded side by side. */
  readonly steps: number
  /** Null when nobody set a limit. */
  readonly maxTokens: number | null
  /** The prompt and what is said, for the prefix cache; null where nothing is cached. */
  readonly prefix: PrefixBlocks | null
}

export interface AnswerRequest {
  readonly model: string
  readonly conversation: Conversation
  /** The emulator's seed and the request's, together. */
  readonly seed: number
  readonly choices: number
  /** Null when the answer may end by itself. A number is kept exactly. */
  readonly maxTokens: number | null
  /** The tool to call; null to answer in words. */
  readonly tool: Tool | null
  /** Whether the model thinks aloud first. */
  readonly reasons: boolean
  /** What it does behind thoughts that it is given. */
  readonly prefilledThoughts: Dialect['prefilledThoughts']
}

export interface Tool {
  readonly name: string
  /** JSON Schema of its arguments. */
  readonly parameters: Fields
}

export function composeAnswer(request: AnswerRequest): Answer {
  const { conversation } = request
  const textSeed = hashText(request.model, (conversation.hash ^ request.seed) >>> 0)
  const choices: Choice[] = []
  let outputTokens = 0
  let steps = 0
  for (let index = 0; index < request.choices; index += 1) {
    const choice = composeChoice(request, index === 0 ? textSeed : mix(textSeed, index))
    choices.push(choice)
    outputTokens += choice.pieces.length
    steps = Math.max(steps, choice.pieces.length)
  }
  const { promptTokens } = conversation
  const said = choices[0] === undefined ? '' : textOf(choices[0])
  const prefix = blocksOf(withText(conversation.prefix, said), hashText(request.model))
  return { choices, promptTokens, outputTokens, steps, maxTokens: request.maxTokens, prefix }
}

/** The same answer of an engine that says again what it was given, in one with what comes next. */
export function withEcho(answer: Answer, { prefill, prefilledThoughts }: Conversation): Answer {
  const [first, ...others] = answer.choices
  const [next, ...later] = first?.pieces ?? []
  if (first === undefined || next === undefined || next.kind === 'tool') return answer
  const isThinking = next.kind === 'reasoning'
  const echoed: Piece = { ...next, text: (isThinking ? prefilledThoughts : prefill) + next.text }
  const thoughts: Piece[] =
    isThinking || prefilledThoughts === ''
      ? []
      : [{ kind: 'reasoning', text: `${prefilledThoughts}\n` }]
  const choice: Choice = { ...first, pieces: [...thoughts, echoed, ...later] }
  return { ...answer, choices: [choice, ...others], steps: answer.steps + thoughts.length }
}

export function textOf(choice: Choice): string {
  let text = ''
  for (const piece of choice.pieces) if (piece.kind === 'text') text += piece.text
  return text
}

export function reasoningOf(choice: Choice): string {
  let text = ''
  for (const piece of choice.pieces) if (piece.kind === 'reasoning') text += piece.text
  return text
}

/** The call of a choice with its arguments joined; null when it answers in words. */
export function toolCallOf(choice: Choice): { id: string; name: string; arguments: string } | null {
  const [first] = choice.pieces
  if (first?.kind !== 'tool') return null
  return {
    id: first.id,
    name: first.name,
    arguments: choice.pieces.map((one) => one.text).join(''),
  }
}

function composeChoice(request: AnswerRequest, seed: number): Choice {
  if (request.tool !== null) return composeCall(request.tool, seed)
  const { prefill } = request.conversation
  const pieces: Piece[] = []
  const start = prefill === '' ? { next: 0, rest: '' } : continueAfter(prefill, seed)
  const left = naturalLength(seed) - start.next + (start.rest === '' ? 0 : 1)
  const total = request.maxTokens ?? Math.max(0, left)
  for (const text of thoughtsOf(request, mix(seed, 99), total)) {
    pieces.push({ kind: 'reasoning', text })
  }
  if (start.rest !== '' && pieces.length < total) pieces.push({ kind: 'text', text: start.rest })
  for (let index = start.next; pieces.length < total; index += 1) {
    pieces.push({ kind: 'text', text: wordAt(seed, index) })
  }
  return { pieces, finishReason: request.maxTokens === null ? 'stop' : 'length' }
}

/** What is thought before any word, or from where the thoughts that were given broke off. */
function thoughtsOf(request: AnswerRequest, seed: number, total: number): string[] {
  const { prefill, prefilledThoughts: given } = request.conversation
  const habit = request.prefilledThoughts
  // A template that drops thoughts opens new ones, whatever was said behind the old ones.
  const isThinking =
    habit === 'dropped' || (prefill === '' && (given === '' || habit === 'gone-on-with'))
  if (!request.reasons || !isThinking) return []
  const start = given === '' || habit === 'dropped' ? 0 : countTokens(given)
  const thoughts = Math.min(12, Math.floor((start + total) / 3))
  return Array.from({ length: Math.max(0, thoughts - start) }, (_, index) =>
    wordAt(seed, start + index),
  )
}

/**
 * Where the text goes on after what was already said. When that is the beginning of this very
 * text it goes on from the exact character; when another model said it, from the same number of
 * words.
 */
function continueAfter(prefill: string, seed: number): { next: number; rest: string } {
  let position = 0
  let index = 0
  while (position < prefill.length) {
    const word = wordAt(seed, index)
    if (prefill.startsWith(word, position)) {
      position += word.length
      index += 1
      continue
    }
    const begun = prefill.slice(position)
    if (word.startsWith(begun)) return { next: index + 1, rest: word.slice(begun.length) }
    return { next: Math.max(1, countTokens(prefill)), rest: '' }
  }
  return { next: index, rest: '' }
}

function composeCall(tool: Tool, seed: number): Choice {
  const id = `call_${seed.toString(16).padStart(8, '0')}`
  const { name } = tool
  const text = JSON.stringify(exampleOf(tool.parameters, seed, 0))
  const pieces: Piece[] = [{ kind: 'tool', id, name, text: '' }]
  const pieceCharacters = 6
  for (let from = 0; from < text.length; from += pieceCharacters) {
    pieces.push({ kind: 'tool', id, name, text: text.slice(from, from + pieceCharacters) })
  }
  return { pieces, finishReason: 'tool_calls' }
}

/** A value that fits a JSON Schema well enough to be parsed and looked at. */
function exampleOf(schema: Fields, seed: number, depth: number): unknown {
  const [allowed] = listField(schema, 'enum')
  if (allowed !== undefined) return allowed
  const type =
    textField(schema, 'type') ?? (fieldsField(schema, 'properties') ? 'object' : 'string')
  if (type === 'number' || type === 'integer') return mix(seed, depth) % 100
  if (type === 'boolean') return mix(seed, depth) % 2 === 0
  if (type === 'null') return null
  // A schema may refer to itself; three levels are enough for an example.
  if (type === 'array' && depth < 3) {
    return [exampleOf(fieldsField(schema, 'items') ?? {}, seed + 1, depth + 1)]
  }
  if (type === 'object' && depth < 3) {
    const properties = Object.entries(fieldsField(schema, 'properties') ?? {})
    return Object.fromEntries(
      properties.map(([key, value], index) => [
        key,
        exampleOf(isFields(value) ? value : {}, seed + index, depth + 1),
      ]),
    )
  }
  if (type === 'array') return []
  if (type === 'object') return {}
  return wordAt(seed, 2).trim()
}
