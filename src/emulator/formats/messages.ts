import { type FinishReason, type Piece, reasoningOf, textOf, toolCallOf } from '#emulator/answer.ts'
import {
  eventStream,
  namedEvent,
  type StreamFormat,
  type Written,
} from '#emulator/formats/format.ts'

/**
 * The Anthropic Messages API, as vLLM and llama-server have it: blocks of thoughts, words and calls,
 * each begun with its first piece.
 */
export class MessagesStream implements StreamFormat {
  readonly contentType = eventStream
  readonly #written: Written
  #index = 0
  /** What the open block holds; null where none is. */
  #open: Piece['kind'] | null = null

  constructor(written: Written) {
    this.#written = written
  }

  open(): string {
    const { id, model, answer } = this.#written
    return event('message_start', {
      message: {
        id,
        type: 'message',
        role: 'assistant',
        model,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: answer.promptTokens, output_tokens: 0 },
      },
    })
  }

  piece(_choice: number, piece: Piece): string {
    const begun = piece.kind === this.#open ? '' : this.#end() + this.#begin(piece)
    return begun + event('content_block_delta', { index: this.#index, delta: deltaOf(piece) })
  }

  finish(): string {
    return ''
  }

  close(): string {
    const { answer } = this.#written
    const reason = answer.choices[0]?.finishReason ?? 'stop'
    return (
      this.#end() +
      event('message_delta', {
        delta: { stop_reason: stopReasonOf(reason), stop_sequence: null },
        usage: { input_tokens: answer.promptTokens, output_tokens: answer.outputTokens },
      })
    )
  }

  done(): string {
    return event('message_stop', {})
  }

  error(message: string): string {
    return event('error', { error: { type: 'api_error', message } })
  }

  #begin(piece: Piece): string {
    this.#open = piece.kind
    return event('content_block_start', { index: this.#index, content_block: emptyBlockOf(piece) })
  }

  #end(): string {
    if (this.#open === null) return ''
    this.#open = null
    return event('content_block_stop', { index: this.#index++ })
  }
}

function emptyBlockOf(piece: Piece) {
  if (piece.kind === 'tool') return { type: 'tool_use', id: piece.id, name: piece.name, input: {} }
  return piece.kind === 'text' ? { type: 'text', text: '' } : { type: 'thinking', thinking: '' }
}

function deltaOf({ kind, text }: Piece) {
  if (kind === 'tool') return { type: 'input_json_delta', partial_json: text }
  return kind === 'text' ? { type: 'text_delta', text } : { type: 'thinking_delta', thinking: text }
}

export function wholeMessage({ id, model, answer }: Written): unknown {
  const [choice] = answer.choices
  const call = choice === undefined ? null : toolCallOf(choice)
  const text = choice === undefined ? '' : textOf(choice)
  const thinking = choice === undefined ? '' : reasoningOf(choice)
  return {
    id,
    type: 'message',
    role: 'assistant',
    model,
    content: [
      ...(thinking === '' ? [] : [{ type: 'thinking', thinking, signature: '' }]),
      call === null
        ? { type: 'text', text }
        : { type: 'tool_use', id: call.id, name: call.name, input: JSON.parse(call.arguments) },
    ],
    stop_reason: stopReasonOf(choice?.finishReason ?? 'stop'),
    stop_sequence: null,
    usage: { input_tokens: answer.promptTokens, output_tokens: answer.outputTokens },
  }
}

function stopReasonOf(reason: FinishReason): string {
  if (reason === 'length') return 'max_tokens'
  return reason === 'tool_calls' ? 'tool_use' : 'end_turn'
}

function event(type: string, fields: object): string {
  return namedEvent(type, { type, ...fields })
}
