/** What the streams of chat and completions share: one choice, whose frames have an id and a time. */
import {
  type AnswerPart,
  type Follower,
  nothingSaid,
  type TokensBefore,
  type ToldAnswer,
  type Words,
} from '#openai/continuation.ts'
import { asObject, jsonObject } from '#std/json-object.ts'

type Fields = Readonly<Record<string, unknown>>

/** How the words stand in a choice: beside others, each of which may make it more than words. */
export interface ChoiceWords {
  partOf(choice: Fields): AnswerPart
  /** The choice with these words in place of its own, and without what is only said at the beginning. */
  withWords(choice: Fields, words: Words): Fields
  /** Whether it says anything, were it only that the answer is over. */
  isSaying(choice: Fields): boolean
}

/** Whether the engine says that this choice is whole. */
export function isOver(choice: Fields): boolean {
  return typeof choice['finish_reason'] === 'string'
}

export function choicesFrames(words: ChoiceWords) {
  return {
    partOf(data: string): AnswerPart {
      const choice = choiceOf(jsonObject(data))
      return choice === null ? nothingSaid : words.partOf(choice)
    },
    begin: (): ToldAnswer => new ToldChoice(words),
  }
}

/** By what clients know that frames are of one answer: of its first frame. */
interface Head {
  readonly id: unknown
  readonly created: unknown
}

class ToldChoice implements ToldAnswer {
  readonly #words: ChoiceWords
  #head: Head | null = null

  constructor(words: ChoiceWords) {
    this.#words = words
  }

  note(data: string): void {
    if (this.#head !== null) return
    const frame = jsonObject(data)
    // Azure says something of the prompt first, under an id that is no answer's.
    if (frame === null || choiceOf(frame) === null) return
    this.#head = { id: frame['id'], created: frame['created'] }
  }

  follow(before: TokensBefore): Follower | null {
    const head = this.#head
    const words = this.#words
    if (head === null) return null
    return {
      retell(data, told) {
        const frame = jsonObject(data)
        if (frame === null) return [`data: ${data}\n\n`]
        const usage = asObject(frame['usage'])
        const choice = choiceOf(frame)
        const retold = choice === null ? null : words.withWords(choice, told)
        if (retold !== null && !words.isSaying(retold) && usage === null) return []
        const whole = {
          ...frame,
          ...head,
          ...(retold === null ? {} : { choices: [retold] }),
          ...(usage === null ? {} : { usage: { ...usage, ...usageOfBoth(usage, before) } }),
        }
        return [`data: ${JSON.stringify(whole)}\n\n`]
      },
    }
  }
}

function choiceOf(frame: Fields | null): Fields | null {
  const choices = frame?.['choices']
  return Array.isArray(choices) ? asObject(choices[0]) : null
}

function usageOfBoth(usage: Fields, { said, inPrompt }: TokensBefore) {
  const prompt = Math.max(0, Number(usage['prompt_tokens'] ?? 0) - inPrompt)
  const completion = Number(usage['completion_tokens'] ?? 0) + said
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
  }
}
