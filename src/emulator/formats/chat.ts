import { type Choice, type Piece, reasoningOf, textOf, toolCallOf } from '#emulator/answer.ts'
import { ChunkStream, type ChunkWishes } from '#emulator/formats/chunk-stream.ts'
import { type PhaseTiming, usageOf, type Written } from '#emulator/formats/format.ts'
import { timingsOf } from '#emulator/formats/timings.ts'
import { chanceOf, hashText } from '#emulator/words.ts'

/** `object: chat.completion.chunk`, as every OpenAI client reads it. */
export class ChatStream extends ChunkStream {
  readonly #called = new Set<number>()

  constructor(written: Written, wishes: ChunkWishes) {
    super('chat.completion.chunk', written, wishes)
  }

  open(): string {
    return this.written.answer.choices
      .map((_choice, index) => this.chunk(index, '"delta":{"role":"assistant","content":""}', null))
      .join('')
  }

  protected carried(choice: number, piece: Piece): string {
    return `"delta":${this.#delta(choice, piece)}`
  }

  protected carriedAtEnd(): string {
    return this.written.habits.timings ? '"delta":{}' : '"delta":{"content":""}'
  }

  protected logprobsOf(piece: Piece): unknown {
    return logprobsOf([piece])
  }

  #delta(choice: number, piece: Piece): string {
    if (piece.kind === 'text') return `{"content":${JSON.stringify(piece.text)}}`
    if (piece.kind === 'reasoning') {
      return `{"${this.written.habits.reasoningField}":${JSON.stringify(piece.text)}}`
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
}

/** The same answer whole. */
export function wholeChat(written: Written, wishes: ChunkWishes, timing: PhaseTiming): unknown {
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
