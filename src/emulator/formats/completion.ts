import { type Piece, textOf } from '#emulator/answer.ts'
import { ChunkStream, type ChunkWishes } from '#emulator/formats/chunk-stream.ts'
import { type PhaseTiming, usageOf, type Written } from '#emulator/formats/format.ts'
import { timingsOf } from '#emulator/formats/timings.ts'
import { chanceOf, hashText } from '#emulator/words.ts'

/** `object: text_completion`: the older API that goes on with a bare prompt. */
export class CompletionStream extends ChunkStream {
  constructor(written: Written, wishes: ChunkWishes) {
    super('text_completion', written, wishes)
  }

  open(): string {
    return ''
  }

  protected carried(_choice: number, { text }: Piece): string {
    return `"text":${JSON.stringify(text)}`
  }

  protected carriedAtEnd(): string {
    return '"text":""'
  }

  protected logprobsOf(piece: Piece): unknown {
    return logprobsOf([piece])
  }
}

export function wholeCompletion(
  written: Written,
  wishes: ChunkWishes,
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
