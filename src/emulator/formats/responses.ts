import { type Answer, type FinishReason, type Piece, textOf, toolCallOf } from '#emulator/answer.ts'
import {
  eventStream,
  namedEvent,
  type StreamFormat,
  type Written,
} from '#emulator/formats/format.ts'

/** The Responses API: named events that number themselves, and no `[DONE]`. */
export class ResponsesStream implements StreamFormat {
  readonly contentType = eventStream
  readonly #written: Written
  readonly #itemId: string
  #sequence = 0

  constructor(written: Written) {
    this.#written = written
    this.#itemId = `${written.id}_item`
  }

  open(): string {
    const response = responseObject(this.#written, 'in_progress')
    const [choice] = this.#written.answer.choices
    const call = choice === undefined ? null : toolCallOf(choice)
    const item =
      call === null
        ? { ...messageItem(this.#itemId, ''), status: 'in_progress', content: [] }
        : { ...callItem(this.#itemId, { ...call, arguments: '' }), status: 'in_progress' }
    return (
      this.#event('response.created', { response }) +
      this.#event('response.in_progress', { response }) +
      this.#event('response.output_item.added', { output_index: 0, item }) +
      (call === null
        ? this.#event('response.content_part.added', { ...this.#place(), part: textPart('') })
        : '')
    )
  }

  piece(_choice: number, piece: Piece): string {
    if (piece.kind === 'tool') {
      return this.#event('response.function_call_arguments.delta', {
        item_id: this.#itemId,
        output_index: 0,
        delta: piece.text,
      })
    }
    return this.#event('response.output_text.delta', {
      ...this.#place(),
      delta: piece.text,
      logprobs: [],
    })
  }

  finish(): string {
    return ''
  }

  close(): string {
    const { answer } = this.#written
    const [item] = outputOf(answer, this.#itemId)
    const text = allText(answer)
    const isMessage = item?.type === 'message'
    return (
      (isMessage
        ? this.#event('response.output_text.done', { ...this.#place(), text, logprobs: [] }) +
          this.#event('response.content_part.done', { ...this.#place(), part: textPart(text) })
        : this.#event('response.function_call_arguments.done', {
            item_id: this.#itemId,
            output_index: 0,
            arguments: item?.type === 'function_call' ? item.arguments : '',
          })) + this.#event('response.output_item.done', { output_index: 0, item })
    )
  }

  done(): string {
    const type = isCut(this.#written.answer) ? 'response.incomplete' : 'response.completed'
    return this.#event(type, { response: wholeResponse(this.#written) })
  }

  error(message: string): string {
    return this.#event('response.failed', {
      response: {
        ...responseObject(this.#written, 'failed'),
        error: { code: 'server_error', message },
      },
    })
  }

  #place() {
    return { item_id: this.#itemId, output_index: 0, content_index: 0 }
  }

  #event(type: string, fields: object): string {
    const event = { type, sequence_number: this.#sequence, ...fields }
    this.#sequence += 1
    return namedEvent(type, event)
  }
}

export function wholeResponse(written: Written): unknown {
  const { answer } = written
  const { promptTokens, outputTokens } = answer
  return {
    ...responseObject(written, isCut(answer) ? 'incomplete' : 'completed'),
    incomplete_details: isCut(answer) ? { reason: 'max_output_tokens' } : null,
    output: outputOf(answer, `${written.id}_item`),
    usage: {
      input_tokens: promptTokens,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: outputTokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: promptTokens + outputTokens,
    },
  }
}

const isCut = ({ choices }: Answer): boolean =>
  choices[0]?.finishReason === ('length' satisfies FinishReason)

function responseObject({ id, createdSeconds, model }: Written, status: string) {
  return {
    id,
    object: 'response',
    created_at: createdSeconds,
    status,
    error: null,
    incomplete_details: null,
    model,
    output: [],
    parallel_tool_calls: true,
    tool_choice: 'auto',
    tools: [],
    usage: null,
  }
}

function allText({ choices }: Answer): string {
  return choices[0] === undefined ? '' : textOf(choices[0])
}

function outputOf(answer: Answer, itemId: string) {
  const [choice] = answer.choices
  const call = choice === undefined ? null : toolCallOf(choice)
  return [call === null ? messageItem(itemId, allText(answer)) : callItem(itemId, call)]
}

function textPart(text: string) {
  return { type: 'output_text', text, annotations: [], logprobs: [] }
}

function messageItem(id: string, text: string) {
  return {
    type: 'message' as const,
    id,
    role: 'assistant',
    status: 'completed',
    content: [textPart(text)],
  }
}

function callItem(id: string, call: { id: string; name: string; arguments: string }) {
  return {
    type: 'function_call' as const,
    id,
    call_id: call.id,
    name: call.name,
    arguments: call.arguments,
    status: 'completed',
  }
}
