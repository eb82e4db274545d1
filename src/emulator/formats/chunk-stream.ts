import type { FinishReason, Piece } from '#emulator/answer.ts'
import {
  dataEvent,
  eventStream,
  type PhaseTiming,
  type StreamFormat,
  usageOf,
  type Written,
} from '#emulator/formats/format.ts'
import { timingsOf } from '#emulator/formats/timings.ts'

export interface ChunkWishes {
  readonly includeUsage: boolean
  readonly continuousUsage: boolean
  readonly logprobs: boolean
  /** Text to put before a whole answer, for engines that repeat the prefill. */
  readonly repeated: string
}

/** Streams of OpenAI's chats and completions: chunks that differ in what a choice carries. */
export abstract class ChunkStream implements StreamFormat {
  readonly contentType = eventStream
  protected readonly written: Written
  readonly #wishes: ChunkWishes
  readonly #head: string
  #sent = 0
  /** Set when the answer ends; it goes into the last chunk that the caller sees. */
  #timings = ''

  constructor(object: string, written: Written, wishes: ChunkWishes) {
    this.written = written
    this.#wishes = wishes
    const { id, createdSeconds, model } = written
    const start = JSON.stringify({ id, object, created: createdSeconds, model })
    this.#head = `data: ${start.slice(0, -1)},"choices":`
  }

  abstract open(): string

  /** A piece as a field of a choice, in JSON: `"text":"Hello"`. */
  protected abstract carried(choice: number, piece: Piece): string

  /** The same where only the reason to finish is told. */
  protected abstract carriedAtEnd(): string

  protected abstract logprobsOf(piece: Piece): unknown

  piece(choice: number, piece: Piece, finish: FinishReason | null): string {
    this.#sent += 1
    const reason = this.written.habits.finishesWithLastPiece ? finish : null
    const logprobs = this.#wishes.logprobs ? JSON.stringify(this.logprobsOf(piece)) : 'null'
    return this.chunk(choice, this.carried(choice, piece), reason, logprobs)
  }

  finish(choice: number, reason: FinishReason, hadPieces: boolean, timing: PhaseTiming): string {
    const { habits, answer } = this.written
    if (habits.finishesWithLastPiece && hadPieces) return ''
    const chunk = this.chunk(choice, this.carriedAtEnd(), reason)
    if (!habits.timings) return chunk
    const account = timingsOf(answer.promptTokens, answer.outputTokens, timing)
    this.#timings = `,"timings":${JSON.stringify(account)}`
    return this.#wishes.includeUsage ? chunk : `${chunk.slice(0, -3)}${this.#timings}}\n\n`
  }

  close(): string {
    if (!this.#wishes.includeUsage) return ''
    const { promptTokens, outputTokens } = this.written.answer
    const usage = JSON.stringify(usageOf(promptTokens, outputTokens))
    return `${this.#head}[],"usage":${usage}${this.#timings}}\n\n`
  }

  done(): string {
    return 'data: [DONE]\n\n'
  }

  error(message: string): string {
    const { habits, errorObject } = this.written
    return dataEvent(errorObject(message)) + (habits.doneAfterError ? this.done() : '')
  }

  protected chunk(
    choice: number,
    carried: string,
    reason: FinishReason | null,
    logprobs = 'null',
  ): string {
    const finish = reason === null ? 'null' : `"${reason}"`
    const usage = this.#wishes.continuousUsage
      ? `,"usage":${JSON.stringify(usageOf(this.written.answer.promptTokens, this.#sent))}`
      : ''
    return `${this.#head}[{"index":${choice},${carried},"logprobs":${logprobs},"finish_reason":${finish}}]${usage}}\n\n`
  }
}
