/**
 * How a streamed answer that broke off at one engine goes on at another: what its frames said, how
 * the rest is asked for, and how that rest is told as a part of the first answer.
 */
import type { Splice } from '#std/splice-bytes.ts'

/** What one frame adds to an answer. */
export interface AnswerPart {
  /** '' where it only begins or ends something. */
  readonly text: string
  /** Not so with thoughts, calls of tools or a refusal: no engine takes those up from another. */
  readonly isWords: boolean
  /** The engine says that the answer is whole. */
  readonly isEnd: boolean
}

/** By what clients know that frames are of one answer: of its first frame. */
export interface AnswerHead {
  readonly id: unknown
  readonly created: unknown
}

/** How far an answer came. */
export interface SaidSoFar {
  readonly text: string
  /** Near the number of its tokens. */
  readonly tokens: number
}

export interface AnswerContinuation {
  /**
   * Whether an engine must say that it goes on with what an assistant has begun. Where a prompt is
   * gone on with, every engine does.
   */
  readonly needsPrefill: boolean
  /** Whether what a body asks for is plain words, of which the rest follows from the beginning. */
  fits(body: Buffer): boolean
  /** Whether the same body gets the same answer again: nothing in it is left to chance. */
  isRepeatable(body: Buffer): boolean
  /**
   * Asks for what follows `said`, in splices of any order; `fields` are those with which an engine
   * goes on.
   */
  askForRest(body: Buffer, said: SaidSoFar, fields: Readonly<Record<string, unknown>>): Splice[]
  /** How many tokens the client still wants after `said`; infinite where it set no limit. */
  tokensLeft(body: Buffer, said: SaidSoFar): number
  /** Null for a frame that is no part of the answer itself. */
  headOf(data: string): AnswerHead | null
  partOf(data: string): AnswerPart
  /** A frame of the rest with `text` as its words; null where the client needs nothing of it. */
  retold(
    data: string,
    as: {
      readonly head: AnswerHead
      readonly text: string
      /** Tokens that were given along, and are no part of the prompt but of the answer. */
      readonly given: number
    },
  ): string | null
}
