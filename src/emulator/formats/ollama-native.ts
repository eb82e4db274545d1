import {
  type Choice,
  type FinishReason,
  type Piece,
  reasoningOf,
  textOf,
  toolCallOf,
} from '#emulator/answer.ts'
import type { PhaseTiming, StreamFormat, Written } from '#emulator/formats/format.ts'

/** Ollama's own API: one JSON object a line, the last one with `done` and the counts. */
export class OllamaStream implements StreamFormat {
  readonly contentType = 'application/x-ndjson'
  readonly #written: Written
  readonly #api: OllamaApi

  constructor(written: Written, api: OllamaApi) {
    this.#written = written
    this.#api = api
  }

  open(): string {
    return ''
  }

  /** A tool call comes in one piece: its arguments are an object here, not a text. */
  piece(choice: number, piece: Piece, finish: FinishReason | null): string {
    if (piece.kind === 'text') return this.#line(said(this.#api, piece.text, ''))
    if (piece.kind === 'reasoning') return this.#line(said(this.#api, '', piece.text))
    const whole = this.#written.answer.choices[choice]
    return finish === null || whole === undefined ? '' : this.#line(saidWhole(this.#api, whole))
  }

  finish(): string {
    return ''
  }

  close(): string {
    return ''
  }

  done(timing: PhaseTiming): string {
    const reason = this.#written.answer.choices[0]?.finishReason ?? 'stop'
    return this.#line({
      ...said(this.#api, '', ''),
      ...countsOf(this.#written, reason, timing),
    })
  }

  error(message: string): string {
    return `${JSON.stringify({ error: message })}\n`
  }

  #line(fields: object): string {
    return `${JSON.stringify({ ...headOf(this.#written), done: false, ...fields })}\n`
  }
}

export type OllamaApi = 'chat' | 'generate'

export function wholeOllama(written: Written, api: OllamaApi, timing: PhaseTiming): unknown {
  const [choice] = written.answer.choices
  return {
    ...headOf(written),
    ...(choice === undefined ? said(api, '', '') : saidWhole(api, choice)),
    ...countsOf(written, choice?.finishReason ?? 'stop', timing),
  }
}

function headOf({ model, createdSeconds }: Written) {
  return { model, created_at: new Date(createdSeconds * 1000).toISOString() }
}

function said(api: OllamaApi, text: string, thinking: string) {
  const thought = thinking === '' ? {} : { thinking }
  return api === 'chat'
    ? { message: { role: 'assistant', content: text, ...thought } }
    : { response: text, ...thought }
}

function saidWhole(api: OllamaApi, choice: Choice) {
  const call = toolCallOf(choice)
  if (call === null || api === 'generate') return said(api, textOf(choice), reasoningOf(choice))
  const toolCall = { function: { name: call.name, arguments: JSON.parse(call.arguments) } }
  return { message: { role: 'assistant', content: '', tool_calls: [toolCall] } }
}

const nsPerMs = 1_000_000

function countsOf({ answer }: Written, reason: FinishReason, timing: PhaseTiming) {
  return {
    done: true,
    done_reason: reason === 'length' ? 'length' : 'stop',
    total_duration: Math.round(timing.totalMs * nsPerMs),
    load_duration: Math.round(timing.loadMs * nsPerMs),
    prompt_eval_count: answer.promptTokens,
    prompt_eval_duration: Math.round(timing.promptMs * nsPerMs),
    eval_count: answer.outputTokens,
    eval_duration: Math.round(timing.outputMs * nsPerMs),
  }
}
