import type { Answer, Piece } from '#emulator/answer.ts'
import { jsonPage, textPage } from '#emulator/dialect.ts'
import { sendBody } from '#emulator/faults/faulty-body.ts'
import { FaultySink } from '#emulator/faults/faulty-sink.ts'
import { isStreamFault } from '#emulator/faults/stream-fault.ts'
import { dataEvent, eventStream, type StreamFormat } from '#emulator/formats/format.ts'
import { PlainSink } from '#emulator/frame-sink.ts'
import { readMultipart } from '#emulator/multipart.ts'
import { firstTokenDelayMs } from '#emulator/serve-answer.ts'
import type { TaskHandler, TaskRequest } from '#emulator/tasks/task.ts'
import { splitTokens } from '#emulator/words.ts'

/** Speech of 16 kHz and 16 bit: how long a recording is assumed to be. */
const bytesPerSecond = 32_000

/** A speech encoder takes 50 frames a second; they count as the prompt. */
const framesPerSecond = 50

export const transcription: TaskHandler = (request) => serve(request, false)

export const translation: TaskHandler = (request) => serve(request, true)

/**
 * Hears nothing, and says what it was given. A recording that is under way is heard to its end
 * even when nobody waits for it, as servers of speech models do.
 */
function serve(request: TaskRequest, isTranslation: boolean): void {
  const { exchange, rawBody } = request
  const parts = readMultipart(exchange.request.headers['content-type'] ?? '', rawBody) ?? []
  const file = parts.find((part) => part.name === 'file')
  if (file === undefined) {
    exchange.refuse('file is required, as multipart/form-data.', 'file')
    return
  }
  const field = (name: string): string | null =>
    parts.find((part) => part.name === name)?.content.toString() ?? null
  const language = isTranslation ? 'en' : (field('language') ?? 'en')
  const seconds = file.content.length / bytesPerSecond
  const verb = isTranslation ? 'translated to' : 'spoken in'
  const text = `A recording of ${file.content.length} bytes named ${file.fileName ?? 'nothing'}, ${verb} ${language}.`
  const pieces = splitTokens(text).map((token): Piece => ({ kind: 'text', text: token }))
  const answer: Answer = {
    choices: [{ pieces, finishReason: 'stop' }],
    promptTokens: Math.ceil(seconds * framesPerSecond),
    outputTokens: pieces.length,
    steps: pieces.length,
    maxTokens: null,
    prefix: null,
  }
  const heard = { text, language, seconds, isTranslation }
  const accepted =
    field('stream') === 'true'
      ? stream(request, answer, text)
      : exchange.infer(
          {
            promptTokens: answer.promptTokens,
            outputTokens: answer.steps,
            delayMs: firstTokenDelayMs(exchange),
            onDone: () => sendBody(exchange, pageOf(heard, field('response_format') ?? 'json')),
          },
          { keepsRunning: true },
        )
  if (!accepted) exchange.fail({ kind: 'queue-full' })
}

function stream({ exchange, requestedModel }: TaskRequest, answer: Answer, text: string): boolean {
  const { engine } = exchange.machine.dialect
  const format =
    engine === 'vllm' || engine === 'sglang'
      ? new ChunkEvents(exchange.machine.nextId(), requestedModel)
      : new NamedEvents(text)
  const sink = exchange.faults.some(isStreamFault)
    ? new FaultySink(exchange, eventStream, format.error('The engine failed on purpose.'))
    : new PlainSink(exchange, eventStream)
  const pieces = answer.choices[0]?.pieces ?? []
  return exchange.infer(
    {
      promptTokens: answer.promptTokens,
      outputTokens: answer.steps,
      delayMs: firstTokenDelayMs(exchange),
      onTokens(from, to) {
        for (const piece of pieces.slice(from, to)) sink.send('content', format.piece(piece))
        sink.flush()
      },
      onDone() {
        sink.send('close', format.close())
        sink.send('done', format.done())
        sink.end()
      },
    },
    { keepsRunning: true },
  )
}

type SpeechEvents = {
  piece(piece: Piece): string
  close(): string
  done(): string
} & Pick<StreamFormat, 'error'>

/** vLLM's and SGLang's: chunks in the manner of chat. */
class ChunkEvents implements SpeechEvents {
  readonly #head: { readonly id: string; readonly object: string; readonly model: string }

  constructor(id: string, model: string) {
    this.#head = { id: `trsc-${id}`, object: 'transcription.chunk', model }
  }

  piece(piece: Piece): string {
    return this.#chunk({ content: piece.text }, null)
  }

  close(): string {
    return this.#chunk({}, 'stop')
  }

  done(): string {
    return 'data: [DONE]\n\n'
  }

  error(message: string): string {
    return dataEvent({ error: { message, type: 'InternalServerError', param: null, code: 500 } })
  }

  #chunk(delta: object, reason: string | null): string {
    return dataEvent({ ...this.#head, choices: [{ delta, finish_reason: reason }] })
  }
}

/** OpenAI's own: typed events that say the whole text at the end. */
class NamedEvents implements SpeechEvents {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  piece(piece: Piece): string {
    return dataEvent({ type: 'transcript.text.delta', delta: piece.text })
  }

  close(): string {
    return ''
  }

  done(): string {
    return dataEvent({ type: 'transcript.text.done', text: this.#text })
  }

  error(message: string): string {
    return dataEvent({ error: { message, type: 'server_error', param: null, code: null } })
  }
}

interface Heard {
  readonly text: string
  readonly language: string
  readonly seconds: number
  readonly isTranslation: boolean
}

function pageOf({ text, language, seconds, isTranslation }: Heard, format: string) {
  if (format === 'text') return textPage(200, `${text}\n`)
  if (format === 'srt')
    return textPage(200, `1\n${clock(0, ',')} --> ${clock(seconds, ',')}\n${text}\n`)
  if (format === 'vtt') {
    return textPage(200, `WEBVTT\n\n${clock(0, '.')} --> ${clock(seconds, '.')}\n${text}\n`)
  }
  if (format === 'verbose_json') {
    return jsonPage(200, {
      task: isTranslation ? 'translate' : 'transcribe',
      language,
      duration: seconds,
      text,
      segments: [{ id: 0, start: 0, end: seconds, text }],
    })
  }
  return jsonPage(200, { text, usage: { type: 'duration', seconds: Math.ceil(seconds) } })
}

function clock(seconds: number, point: string): string {
  return new Date(seconds * 1000).toISOString().slice(11, 23).replace('.', point)
}
