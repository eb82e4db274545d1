/** What the streams of chat and completions share: one choice, whose frames have an id and a time. */
import type { AnswerContinuation, AnswerPart } from '#openai/continuation.ts'
import {
  type JsonMember,
  JsonScanError,
  jsonMembers,
  lastOf,
  memberValue,
} from '#std/json-members.ts'
import { asObject, jsonObject } from '#std/json-object.ts'
import type { Splice } from '#std/splice-bytes.ts'

type Field = (name: string) => unknown

type Choice = Readonly<Record<string, unknown>>

/** How the words stand in a choice: beside others, each of which may make it more than words. */
export interface ChoiceWords {
  partOf(choice: Choice): AnswerPart
  /** The choice with these words in place of its own, and without what is only said at the beginning. */
  withText(choice: Choice, text: string): Choice
  /** Whether it says anything, were it only that the answer is over. */
  isSaying(choice: Choice): boolean
}

/** Whether the engine says that this choice is whole. */
export function isOver(choice: Choice): boolean {
  return typeof choice['finish_reason'] === 'string'
}

export function choicesContinuation(of: {
  readonly needsPrefill: boolean
  readonly words: ChoiceWords
  fits(field: Field): boolean
  /** Where the words go into the body. */
  insert(members: readonly JsonMember[], text: string): Splice
}): AnswerContinuation {
  return {
    needsPrefill: of.needsPrefill,
    fits(body) {
      const field = fieldOf(body, jsonMembers(body))
      // What begins with an echo would begin with it anew.
      const isPlain = field('echo') !== true && !shaped.some((name) => isAsked(field(name)))
      return isPlain && of.fits(field)
    },
    isRepeatable: (body) => fieldOf(body, jsonMembers(body))('temperature') === 0,
    askForRest(body, said, fields) {
      const members = jsonMembers(body)
      return [
        of.insert(members, said.text),
        ...Object.entries(fields).map(([name, value]) => set(body, members, name, value)),
        ...limits.flatMap((name) => lessTokens(body, members, name, said.tokens)),
      ]
    },
    tokensLeft(body, { tokens }) {
      const field = fieldOf(body, jsonMembers(body))
      const asked = limits.map(field).filter((limit) => typeof limit === 'number')
      return Math.min(...asked) - tokens
    },
    headOf(data) {
      const frame = jsonObject(data)
      // Azure says something of the prompt first, under an id that is no answer's.
      if (frame === null || choiceOf(frame) === null) return null
      return { id: frame['id'], created: frame['created'] }
    },
    partOf(data) {
      const choice = choiceOf(jsonObject(data))
      return choice === null ? nothing : of.words.partOf(choice)
    },
    retold(data, { head, text, given }) {
      const frame = jsonObject(data)
      if (frame === null) return data
      const usage = asObject(frame['usage'])
      const choice = choiceOf(frame)
      const told = choice === null ? null : of.words.withText(choice, text)
      if (told !== null && !of.words.isSaying(told) && usage === null) return null
      return JSON.stringify({
        ...frame,
        ...head,
        ...(told === null ? {} : { choices: [told] }),
        ...(usage === null ? {} : { usage: { ...usage, ...usageWith(usage, given) } }),
      })
    },
  }
}

const nothing: AnswerPart = { text: '', isWords: true, isEnd: false }

/** Each holds the words to a form, and an engine would begin that form anew. */
const shaped = [
  'response_format',
  'structured_outputs',
  'guided_json',
  'guided_regex',
  'guided_choice',
  'guided_grammar',
  'json_schema',
  'regex',
  'ebnf',
  'grammar',
]

function isAsked(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return false
  return asObject(value)?.['type'] !== 'text'
}

const limits = ['max_tokens', 'max_completion_tokens']

function lessTokens(
  body: Buffer,
  members: readonly JsonMember[],
  name: string,
  tokens: number,
): Splice[] {
  const limit = fieldOf(body, members)(name)
  if (typeof limit !== 'number') return []
  return [set(body, members, name, Math.max(1, limit - tokens))]
}

/** In place of what stands there, or as the first member. */
function set(body: Buffer, members: readonly JsonMember[], name: string, value: unknown): Splice {
  const member = lastOf(members, name)
  const text = JSON.stringify(value)
  if (member !== undefined) return { start: member.valueStart, end: member.valueEnd, text }
  const start = body.indexOf('{') + 1
  return { start, end: start, text: `${JSON.stringify(name)}:${text},` }
}

function fieldOf(body: Buffer, members: readonly JsonMember[]): Field {
  return (name) => {
    const member = lastOf(members, name)
    if (member === undefined) return undefined
    try {
      return memberValue(body, member)
    } catch (error) {
      if (error instanceof JsonScanError) return unreadable
      throw error
    }
  }
}

/** In place of a value that is no JSON, as Python's NaN: it is nothing that can be gone on with. */
const unreadable = {}

function choiceOf(frame: Readonly<Record<string, unknown>> | null): Choice | null {
  const choices = frame?.['choices']
  return Array.isArray(choices) ? asObject(choices[0]) : null
}

function usageWith(usage: Readonly<Record<string, unknown>>, given: number) {
  const prompt = Math.max(0, Number(usage['prompt_tokens'] ?? 0) - given)
  const completion = Number(usage['completion_tokens'] ?? 0) + given
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
  }
}
