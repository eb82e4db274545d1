import type { Answer } from '#emulator/answer.ts'
import { jsonPage } from '#emulator/dialect.ts'
import type { Exchange } from '#emulator/exchange.ts'
import { sendBody } from '#emulator/faults/faulty-body.ts'
import { FaultySink } from '#emulator/faults/faulty-sink.ts'
import { isStreamFault } from '#emulator/faults/stream-fault.ts'
import type { PhaseTiming, StreamFormat } from '#emulator/formats/format.ts'
import { PlainSink } from '#emulator/frame-sink.ts'

/** An answer, and how it is written either way. */
export interface Served {
  readonly answer: Answer
  /** Time before the prompt is read. */
  readonly loadMs: number
  /** Null for a whole answer. */
  readonly stream: StreamFormat | null
  whole(timing: PhaseTiming): unknown
}

/** Gives an answer at the pace of the machine. */
export function serveAnswer(exchange: Exchange, served: Served): void {
  const accepted =
    served.stream === null
      ? serveWhole(exchange, served)
      : serveStream(exchange, served, served.stream)
  if (!accepted) exchange.fail({ kind: 'queue-full' })
}

function serveWhole(exchange: Exchange, { answer, loadMs, whole }: Served): boolean {
  return exchange.infer({
    ...sizesOf(answer),
    delayMs: loadMs + firstTokenDelayMs(exchange),
    onDone: () => sendBody(exchange, jsonPage(200, whole(timingOf(exchange, loadMs)))),
  })
}

function serveStream(
  exchange: Exchange,
  { answer, loadMs }: Served,
  format: StreamFormat,
): boolean {
  const { contentType } = format
  const sink = exchange.faults.some(isStreamFault)
    ? new FaultySink(exchange, contentType, format.error('The engine failed on purpose.'))
    : new PlainSink(exchange, contentType)
  let opened = false
  const open = (): void => {
    if (!opened) sink.send('open', format.open())
    opened = true
  }
  const accepted = exchange.infer({
    ...sizesOf(answer),
    delayMs: loadMs + firstTokenDelayMs(exchange),
    onTokens(from, to) {
      open()
      for (let step = from; step < to; step += 1) {
        for (const [index, { pieces, finishReason }] of answer.choices.entries()) {
          const piece = pieces[step]
          if (piece === undefined) continue
          const isLast = step === pieces.length - 1
          sink.send('content', format.piece(index, piece, isLast ? finishReason : null))
          if (!isLast) continue
          const timing = timingOf(exchange, loadMs)
          sink.send('close', format.finish(index, finishReason, true, timing))
        }
      }
      sink.flush()
    },
    onDone() {
      open()
      const timing = timingOf(exchange, loadMs)
      for (const [index, { pieces, finishReason }] of answer.choices.entries()) {
        if (pieces.length === 0) {
          sink.send('close', format.finish(index, finishReason, false, timing))
        }
      }
      sink.send('close', format.close())
      sink.send('done', format.done(timing))
      sink.end()
    },
  })
  if (accepted && exchange.machine.dialect.stream.headersAtStart) sink.start()
  return accepted
}

export function firstTokenDelayMs(exchange: Exchange): number {
  return exchange.fault('slow-first-token')?.delayMs ?? 0
}

/** Choices are decoded side by side: they cost what one of them costs. */
function sizesOf({ promptTokens, steps, maxTokens, prefix }: Answer) {
  const limit = maxTokens === null ? {} : { maxOutputTokens: maxTokens }
  const known = prefix === null ? {} : { prefix }
  return { promptTokens, outputTokens: steps, ...known, ...limit }
}

function timingOf(exchange: Exchange, loadMs: number): PhaseTiming {
  const { promptMs, outputMs } = exchange.timing()
  return { totalMs: loadMs + promptMs + outputMs, loadMs, promptMs, outputMs }
}
