/**
 * How a streamed answer that broke off at one engine goes on at another: what its frames said, how
 * the rest is asked for, and how that rest is told as a part of the first answer.
 */
import type { Splice } from '#std/splice-bytes.ts'

export interface Words {
  readonly text: string
  /** What the model thinks before it says anything. */
  readonly thoughts: string
}

/** What one frame adds to an answer: '' where it only begins or ends something. */
export interface AnswerPart extends Words {
  /** Not so with calls of tools or a refusal: no engine takes those up from another. */
  readonly isWords: boolean
  /** The engine says that the answer is whole. */
  readonly isEnd: boolean
}

export const nothingSaid: AnswerPart = { text: '', thoughts: '', isWords: true, isEnd: false }

/** How far an answer came. */
export interface SaidSoFar extends Words {
  /** Near the number of the tokens of both. */
  readonly tokens: number
}

/** How an engine is told that it goes on with what an assistant has begun. */
export interface Prefill {
  /** Beside the messages. */
  readonly fields: Readonly<Record<string, unknown>>
  /** Which fields of a chat's message hold thoughts; null where they are left out. */
  readonly thoughtsAs: readonly string[] | null
}

/** Tokens that came before a rest. */
export interface TokensBefore {
  readonly said: number
  /** Of them those that were given along, and that the engine counts with the prompt. */
  readonly inPrompt: number
}

export interface AnswerContinuation {
  /**
   * Whether an engine must say that it goes on with what an assistant has begun. Where a prompt is
   * gone on with, every engine does.
   */
  readonly needsPrefill: boolean
  /**
   * Whether what a body asks for is plain words, of which the rest follows from the beginning.
   * `formFields` are the engines' own words for what holds an answer to a form.
   */
  fits(body: Buffer, formFields: readonly string[]): boolean
  /** Whether the same body gets the same answer again: nothing in it is left to chance. */
  isRepeatable(body: Buffer): boolean
  /** Asks for what follows `said`, in splices of any order. */
  askForRest(body: Buffer, said: SaidSoFar, how: Prefill): Splice[]
  /** How many tokens the client still wants after `said`; infinite where it set no limit. */
  tokensLeft(body: Buffer, said: SaidSoFar): number
  partOf(data: string): AnswerPart
  /** An answer of which the client was told nothing yet. */
  begin(): ToldAnswer
}

/** How the frames that a client was told hang together, so that those of a rest can follow them. */
export interface ToldAnswer {
  /** One more was told. */
  note(data: string): void
  /** Null while none of them was of the answer itself. */
  follow(before: TokensBefore): Follower | null
}

/** Tells the frames of a rest as those of the answer before it. */
export interface Follower {
  /** `data` with these words in place of its own, as frames; none where nothing is left to tell. */
  retell(data: string, words: Words): readonly string[]
}
