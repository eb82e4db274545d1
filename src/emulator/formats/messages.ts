import { type FinishReason, type Piece, textOf, toolCallOf } from '#emulator/answer.ts'
import {
  eventStream,
  namedEvent,
  type StreamFormat,
  type Written,
} from '#emulator/formats/format.ts'

/** The Anthropic Messages API, as vLLM and llama-server have it. */
export class MessagesStream implements StreamFormat {
  readonly contentType = eventStream
  readonly #written: Written

  constructor(written: Written) {
    this.#written = written
  }

  open(): string {
    const { id, model, answer } = this.#written
    const [choice] = answer.choices
    const call = choice === undefined ? null : toolCallOf(choice)
    return (
      event('message_start', {
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
      }) +
      event('content_block_start', {
        index: 0,
        content_block:
          call === null
            ? { type: 'text', text: '' }
            : { type: 'tool_use', id: call.id, name: call.name, input: {} },
      })
    )
  }

  piece(_choice: number, piece: Piece): string {
    return event('content_block_delta', {
      index: 0,
      delta:
        piece.kind === 'tool'
          ? { type: 'input_json_delta', partial_json: piece.text }
          : { type: 'text_delta', text: piece.text },
    })
  }

  finish(): string {
    return ''
  }

  close(): string {
    const { answer } = this.#written
    const reason = answer.choices[0]?.finishReason ?? 'stop'
    return (
      event('content_block_stop', { index: 0 }) +
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
}

export function wholeMessage({ id, model, answer }: Written): unknown {
  const [choice] = answer.choices
  const call = choice === undefined ? null : toolCallOf(choice)
  const text = choice === undefined ? '' : textOf(choice)
  return {
    id,
    type: 'message',
    role: 'assistant',
    model,
    content: [
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
