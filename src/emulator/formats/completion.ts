import { type FinishReason, type Piece, textOf } from '#emulator/answer.ts'
import { type ChatWishes, timingsOf } from '#emulator/formats/chat.ts'
import {
  dataEvent,
  eventStream,
  type PhaseTiming,
  type StreamFormat,
  usageOf,
  type Written,
} from '#emulator/formats/format.ts'
import { chanceOf, hashText } from '#emulator/words.ts'

/** `object: text_completion`: the older API that goes on with a bare prompt. */
export class CompletionStream implements StreamFormat {
  readonly contentType = eventStream
  readonly #written: Written
  readonly #wishes: ChatWishes
  readonly #head: string
  #sent = 0
  /** Set when the answer ends; it goes into the last chunk that the caller sees. */
  #timings = ''

  constructor(written: Written, wishes: ChatWishes) {
    this.#written = written
    this.#wishes = wishes
    const { id, createdSeconds, model } = written
    const start = JSON.stringify({ id, object: 'text_completion', created: createdSeconds, model })
    this.#head = `data: ${start.slice(0, -1)},"choices":`
  }

  open(): string {
    return ''
  }

  piece(choice: number, piece: Piece, finish: FinishReason | null): string {
    this.#sent += 1
    const reason = this.#written.habits.finishesWithLastPiece ? finish : null
    return this.#chunk(choice, piece.text, reason, this.#wishes.logprobs ? [piece] : [])
  }

  finish(choice: number, reason: FinishReason, hadPieces: boolean, timing: PhaseTiming): string {
    const { habits, answer } = this.#written
    if (habits.finishesWithLastPiece && hadPieces) return ''
    const chunk = this.#chunk(choice, '', reason, [])
    if (!habits.timings) return chunk
    const account = timingsOf(answer.promptTokens, answer.outputTokens, timing)
    this.#timings = `,"timings":${JSON.stringify(account)}`
    return this.#wishes.includeUsage ? chunk : `${chunk.slice(0, -3)}${this.#timings}}\n\n`
  }

  close(): string {
    if (!this.#wishes.includeUsage) return ''
    const { promptTokens, outputTokens } = this.#written.answer
    const usage = JSON.stringify(usageOf(promptTokens, outputTokens))
    return `${this.#head}[],"usage":${usage}${this.#timings}}\n\n`
  }

  done(): string {
    return 'data: [DONE]\n\n'
  }

  error(message: string): string {
    const { habits, errorObject } = this.#written
    return dataEvent(errorObject(message)) + (habits.doneAfterError ? this.done() : '')
  }

  #chunk(
    choice: number,
    text: string,
    reason: FinishReason | null,
    withLogprobs: readonly Piece[],
  ): string {
    const finish = reason === null ? 'null' : `"${reason}"`
    const logprobs = withLogprobs.length === 0 ? 'null' : JSON.stringify(logprobsOf(withLogprobs))
    const usage = this.#wishes.continuousUsage
      ? `,"usage":${JSON.stringify(usageOf(this.#written.answer.promptTokens, this.#sent))}`
      : ''
    return `${this.#head}[{"index":${choice},"text":${JSON.stringify(text)},"logprobs":${logprobs},"finish_reason":${finish}}]${usage}}\n\n`
  }
}

export function wholeCompletion(
  written: Written,
  wishes: ChatWishes,
  timing: PhaseTiming,
): unknown {
  const { answer, habits } = written
  const { promptTokens, outputTokens } = answer
  return {
    id: written.id,
    object: 'text_completion',
    created: written.createdSeconds,
    model: written.model,
    choices: answer.choices.map((choice, index) => ({
      index,
      text: wishes.repeated + textOf(choice),
      logprobs: wishes.logprobs ? logprobsOf(choice.pieces) : null,
      finish_reason: choice.finishReason,
    })),
    usage: usageOf(promptTokens, outputTokens),
    ...(habits.timings ? { timings: timingsOf(promptTokens, outputTokens, timing) } : {}),
  }
}

function logprobsOf(pieces: readonly Piece[]) {
  let offset = 0
  return {
    tokens: pieces.map(({ text }) => text),
    token_logprobs: pieces.map(({ text }) => -chanceOf(hashText(text), 0)),
    top_logprobs: null,
    text_offset: pieces.map(({ text }) => {
      const at = offset
      offset += text.length
      return at
    }),
  }
}
