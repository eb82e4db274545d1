import {
  type Choice,
  type FinishReason,
  type Piece,
  reasoningOf,
  textOf,
  toolCallOf,
} from '#emulator/answer.ts'
import {
  dataEvent,
  eventStream,
  type PhaseTiming,
  type StreamFormat,
  usageOf,
  type Written,
} from '#emulator/formats/format.ts'
import { chanceOf, hashText } from '#emulator/words.ts'

export interface ChatWishes {
  readonly includeUsage: boolean
  readonly continuousUsage: boolean
  readonly logprobs: boolean
  /** Text to put before a whole answer, for engines that repeat the prefill. */
  readonly repeated: string
}

/** `object: chat.completion.chunk`, as every OpenAI client reads it. */
export class ChatStream implements StreamFormat {
  readonly contentType = eventStream
  readonly #written: Written
  readonly #wishes: ChatWishes
  readonly #head: string
  readonly #called = new Set<number>()
  #sent = 0
  /** Set when the answer ends; it goes into the last chunk that the caller sees. */
  #timings = ''

  constructor(written: Written, wishes: ChatWishes) {
    this.#written = written
    this.#wishes = wishes
    const { id, createdSeconds, model } = written
    const start = JSON.stringify({
      id,
      object: 'chat.completion.chunk',
      created: createdSeconds,
      model,
    })
    this.#head = `data: ${start.slice(0, -1)},"choices":`
  }

  open(): string {
    let text = ''
    for (let index = 0; index < this.#written.answer.choices.length; index += 1) {
      text += this.#chunk(index, '{"role":"assistant","content":""}', null, 'null')
    }
    return text
  }

  piece(choice: number, piece: Piece, finish: FinishReason | null): string {
    this.#sent += 1
    const { habits } = this.#written
    const reason = habits.finishesWithLastPiece ? finish : null
    const logprobs = this.#wishes.logprobs ? JSON.stringify(logprobsOf([piece])) : 'null'
    return this.#chunk(choice, this.#delta(choice, piece), reason, logprobs)
  }

  finish(choice: number, reason: FinishReason, hadPieces: boolean, timing: PhaseTiming): string {
    const { habits, answer } = this.#written
    if (habits.finishesWithLastPiece && hadPieces) return ''
    const chunk = this.#chunk(choice, habits.timings ? '{}' : '{"content":""}', reason, 'null')
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

  #delta(choice: number, piece: Piece): string {
    if (piece.kind === 'text') return `{"content":${JSON.stringify(piece.text)}}`
    if (piece.kind === 'reasoning') {
      return `{"${this.#written.habits.reasoningField}":${JSON.stringify(piece.text)}}`
    }
    const isFirst = !this.#called.has(choice)
    this.#called.add(choice)
    return JSON.stringify({
      tool_calls: [
        isFirst
          ? {
              id: piece.id,
              type: 'function',
              index: 0,
              function: { name: piece.name, arguments: piece.text },
            }
          : { index: 0, function: { arguments: piece.text } },
      ],
    })
  }

  #chunk(choice: number, delta: string, reason: FinishReason | null, logprobs: string): string {
    const finish = reason === null ? 'null' : `"${reason}"`
    const { answer } = this.#written
    const usage = this.#wishes.continuousUsage
      ? `,"usage":${JSON.stringify(usageOf(answer.promptTokens, this.#sent))}`
      : ''
    return `${this.#head}[{"index":${choice},"delta":${delta},"logprobs":${logprobs},"finish_reason":${finish}}]${usage}}\n\n`
  }
}

/** The same answer whole. */
export function wholeChat(written: Written, wishes: ChatWishes, timing: PhaseTiming): unknown {
  const { answer, habits } = written
  const { promptTokens, outputTokens } = answer
  return {
    id: written.id,
    object: 'chat.completion',
    created: written.createdSeconds,
    model: written.model,
    choices: answer.choices.map((choice, index) => ({
      index,
      message: messageOf(choice, wishes.repeated, habits.reasoningField),
      logprobs: wishes.logprobs ? logprobsOf(choice.pieces) : null,
      finish_reason: choice.finishReason,
    })),
    usage: usageOf(promptTokens, outputTokens),
    ...(habits.timings ? { timings: timingsOf(promptTokens, outputTokens, timing) } : {}),
  }
}

function messageOf(choice: Choice, repeated: string, reasoningField: string) {
  const call = toolCallOf(choice)
  if (call !== null) {
    return {
      role: 'assistant',
      content: null,
      tool_calls: [
        {
          id: call.id,
          type: 'function',
          function: { name: call.name, arguments: call.arguments },
        },
      ],
    }
  }
  const reasoning = reasoningOf(choice)
  return {
    role: 'assistant',
    content: repeated + textOf(choice),
    ...(reasoning === '' ? {} : { [reasoningField]: reasoning }),
  }
}

function logprobsOf(pieces: readonly Piece[]) {
  return {
    content: pieces.map(({ text }) => ({
      token: text,
      logprob: -chanceOf(hashText(text), 0),
      bytes: [...Buffer.from(text)],
      top_logprobs: [],
    })),
  }
}

/** llama-server's account of an answer. */
export function timingsOf(promptTokens: number, outputTokens: number, timing: PhaseTiming) {
  const perSecond = (count: number, ms: number): number => (ms > 0 ? (count / ms) * 1000 : 0)
  const perToken = (count: number, ms: number): number => (count > 0 ? ms / count : 0)
  return {
    cache_n: 0,
    prompt_n: promptTokens,
    prompt_ms: timing.promptMs,
    prompt_per_token_ms: perToken(promptTokens, timing.promptMs),
    prompt_per_second: perSecond(promptTokens, timing.promptMs),
    predicted_n: outputTokens,
    predicted_ms: timing.outputMs,
    predicted_per_token_ms: perToken(outputTokens, timing.outputMs),
    predicted_per_second: perSecond(outputTokens, timing.outputMs),
  }
}
