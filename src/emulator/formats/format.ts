/**
 * How an answer is written on the wire: as a stream, event by event, or whole. One file for each
 * API; the dialect brings in what differs between engines.
 */
import type { Answer, FinishReason, Piece } from '#emulator/answer.ts'
import type { StreamHabits } from '#emulator/dialect.ts'

/** How long the phases of an answer took, as some engines report. */
export interface PhaseTiming {
  readonly totalMs: number
  readonly loadMs: number
  readonly promptMs: number
  readonly outputMs: number
}

/** One request that has been understood, with its answer. */
export interface Written {
  readonly id: string
  readonly createdSeconds: number
  /** The name in the answer. */
  readonly model: string
  readonly answer: Answer
  readonly habits: StreamHabits
  readonly errorObject: (message: string) => unknown
}

/** Every method returns text ready to be sent, or '' for nothing. */
export interface StreamFormat {
  readonly contentType: string
  open(): string
  /** `finish` is the reason when this is the last piece of its choice. */
  piece(choice: number, piece: Piece, finish: FinishReason | null): string
  /** Ends a choice, unless its last piece did. */
  finish(choice: number, reason: FinishReason, hadPieces: boolean, timing: PhaseTiming): string
  close(): string
  /** The word by which a reader knows that the answer is whole. */
  done(timing: PhaseTiming): string
  /** What comes in place of the rest when the engine fails in the middle. */
  error(message: string): string
}

export const eventStream = 'text/event-stream; charset=utf-8'

export function dataEvent(data: unknown): string {
  return `data: ${JSON.stringify(data)}\n\n`
}

export function namedEvent(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}

/** The usage object of the OpenAI API. */
export function usageOf(promptTokens: number, outputTokens: number) {
  return {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + outputTokens,
    completion_tokens: outputTokens,
  }
}
