/** The rest of an answer that broke off elsewhere, and how it is told as a part of that answer. */
import type { SpentTokens } from '#gateway/spent-tokens.ts'
import type { AnswerContinuation, AnswerHead } from '#openai/continuation.ts'
import type { Splice } from '#std/splice-bytes.ts'
import { sseData } from '#std/sse-data.ts'

/** What becomes of a frame on its way to the client. */
export type RetoldFrame =
  | { readonly kind: 'told'; readonly frame: Buffer }
  /** The client needs nothing of it. */
  | { readonly kind: 'left-out' }
  /** It is of another answer, and nothing in that goes on from where the first one broke off. */
  | { readonly kind: 'differs' }

const leftOut: RetoldFrame = { kind: 'left-out' }
const differs: RetoldFrame = { kind: 'differs' }

/** For whoever looks at the stream: readers of events must skip it. */
const mark = ': another endpoint goes on with this answer\n\n'

export class AnswerRest {
  /** What makes the request one for the rest. */
  readonly splices: readonly Splice[]
  readonly #continuation: AnswerContinuation
  /** Of the answer that it goes on with; null where that had not begun. */
  readonly #head: AnswerHead | null
  readonly #given: number
  /** What the endpoint says again before it comes to the rest. */
  #repeats: string
  /** All words were said: how it ends is what is left to tell. */
  readonly #endsOnly: boolean
  #isMarked = false

  constructor(
    continuation: AnswerContinuation,
    of: {
      readonly head: AnswerHead | null
      readonly splices: readonly Splice[]
      readonly given: number
      readonly repeats: string
      readonly endsOnly: boolean
    },
  ) {
    this.#continuation = continuation
    this.#head = of.head
    this.splices = of.splices
    this.#given = of.given
    this.#repeats = of.repeats
    this.#endsOnly = of.endsOnly
  }

  /** It has not come yet to where the other one broke off. */
  get isBehind(): boolean {
    return this.#repeats !== ''
  }

  retell(frame: Buffer): RetoldFrame {
    const data = sseData(frame)
    if (data === null || this.#head === null) return { kind: 'told', frame }
    const part = this.#continuation.partOf(data)
    let { text } = part
    if (this.isBehind) {
      const shared = Math.min(text.length, this.#repeats.length)
      if (!part.isWords || !text.startsWith(this.#repeats.slice(0, shared))) return differs
      this.#repeats = this.#repeats.slice(shared)
      text = text.slice(shared)
      if (this.isBehind) return leftOut
    }
    if (this.#endsOnly) text = ''
    const told = this.#continuation.retold(data, { head: this.#head, text, given: this.#given })
    if (told === null) return leftOut
    const marked = this.#isMarked ? '' : mark
    this.#isMarked = true
    return { kind: 'told', frame: Buffer.from(`${marked}data: ${told}\n\n`) }
  }

  /** What the whole answer came to, of which this attempt told the rest. */
  spent(before: SpentTokens | null, own: SpentTokens | null): SpentTokens | null {
    if (before === null || own === null) return own ?? before
    return {
      // An engine counts what it was given of the answer with the prompt.
      promptTokens: own.counted ? before.promptTokens : Math.max(0, own.promptTokens - this.#given),
      completionTokens: own.completionTokens + this.#given,
      cachedTokens: before.cachedTokens,
      counted: true,
    }
  }
}
