/** The rest of an answer that broke off elsewhere, and how it is told as a part of that answer. */
import type { SpentTokens } from '#gateway/spent-tokens.ts'
import type {
  AnswerContinuation,
  AnswerPart,
  Follower,
  TokensBefore,
  Words,
} from '#openai/continuation.ts'
import { frameData } from '#std/frame-data.ts'
import type { Framing } from '#std/frame-splitter.ts'
import type { Splice } from '#std/splice-bytes.ts'

/** What becomes of a frame on its way to the client. */
export type RetoldFrame =
  | { readonly kind: 'told'; readonly frames: readonly Buffer[] }
  /** It is of another answer, and nothing in that goes on from where the first one broke off. */
  | { readonly kind: 'differs' }

const leftOut: RetoldFrame = { kind: 'told', frames: [] }
const differs: RetoldFrame = { kind: 'differs' }

/** For whoever looks at the stream: readers of events must skip it. */
const mark = ': the answer broke off here, and goes on\n\n'

export class AnswerRest {
  /** What makes the request one for the rest. */
  readonly splices: readonly Splice[]
  readonly #continuation: AnswerContinuation
  readonly #framing: Framing
  /** Null where the answer had not begun. */
  readonly #follower: Follower | null
  readonly #before: TokensBefore
  /** What the endpoint says again before it comes to the rest. */
  #repeats: string
  /** What it may say again too, but in one piece; null where it does not, or has come to the rest. */
  #echo: Words | null
  /** Whether thoughts may come: behind words they are of another answer. */
  readonly #mayThink: boolean
  /** All tokens were said: how it ends is what is left to tell. */
  readonly #endsOnly: boolean
  /** What is still to be told in front of it. */
  #mark: string

  constructor(
    continuation: AnswerContinuation,
    of: {
      readonly framing: Framing
      readonly follower: Follower | null
      readonly splices: readonly Splice[]
      readonly before: TokensBefore
      readonly repeats: string
      readonly echo: Words | null
      readonly mayThink: boolean
      readonly endsOnly: boolean
    },
  ) {
    this.#continuation = continuation
    this.#framing = of.framing
    this.#follower = of.follower
    // Lines of JSON have no comments.
    this.#mark = of.framing === 'sse' ? mark : ''
    this.splices = of.splices
    this.#before = of.before
    this.#repeats = of.repeats
    this.#echo = of.echo
    this.#mayThink = of.mayThink
    this.#endsOnly = of.endsOnly
  }

  /** It has not come yet to where the other one broke off. */
  get isBehind(): boolean {
    return this.#repeats !== ''
  }

  retell(frame: Buffer): RetoldFrame {
    const data = frameData(frame, this.#framing)
    if (data === null || this.#follower === null) return { kind: 'told', frames: [frame] }
    const part = this.#withoutEcho(this.#continuation.partOf(data))
    let words: Words = part
    if (this.isBehind) {
      const shared = Math.min(part.text.length, this.#repeats.length)
      if (!part.isWords || !part.text.startsWith(this.#repeats.slice(0, shared))) return differs
      this.#repeats = this.#repeats.slice(shared)
      if (this.isBehind) return leftOut
      words = { text: part.text.slice(shared), thoughts: '' }
    } else if (part.thoughts !== '' && !this.#mayThink) {
      return differs
    }
    if (this.#endsOnly) words = noWords
    const [first, ...others] = this.#follower.retell(data, words)
    if (first === undefined) return leftOut
    const marked = this.#mark + first
    this.#mark = ''
    return { kind: 'told', frames: [marked, ...others].map((told) => Buffer.from(told)) }
  }

  /** Some engines begin with all that they were given, in one with the first new word if there is one. */
  #withoutEcho(part: AnswerPart): AnswerPart {
    const echo = this.#echo
    if (echo === null || (part.text === '' && part.thoughts === '')) return part
    if (part.text !== '' || echo.text === '') this.#echo = null
    return {
      ...part,
      text: withoutStart(part.text, echo.text),
      // Templates put blanks around thoughts that have ended.
      thoughts:
        echo.text !== '' && part.thoughts.trim() === echo.thoughts.trim()
          ? ''
          : withoutStart(part.thoughts, echo.thoughts),
    }
  }

  /** What the whole answer came to, of which this attempt told the rest. */
  spent(before: SpentTokens | null, own: SpentTokens | null): SpentTokens | null {
    if (before === null || own === null) return own ?? before
    const { said, inPrompt } = this.#before
    return {
      promptTokens: own.counted ? before.promptTokens : Math.max(0, own.promptTokens - inPrompt),
      completionTokens: own.completionTokens + said,
      cachedTokens: before.cachedTokens,
      counted: true,
    }
  }
}

const noWords: Words = { text: '', thoughts: '' }

function withoutStart(piece: string, start: string): string {
  return piece.startsWith(start) ? piece.slice(start.length) : piece
}
