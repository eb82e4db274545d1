/**
 * One API of the client's wire: its paths, its body, its stream, its errors. It says what differs
 * between the APIs, so that one pipeline can serve them all.
 */
import type { AnswerContinuation } from '#openai/continuation.ts'
import type { StreamShape, WireError } from '#openai/stream-shape.ts'
import type { Usage } from '#openai/usage.ts'

export interface Api {
  readonly name: string
  readonly paths: readonly string[]
  readonly body: 'json' | 'multipart'
  /** How it streams; null when its answers are never event streams. */
  readonly stream: StreamShape | null
  /** Whether a request that does not say `stream` gets a stream, as in Ollama's API. */
  readonly streamsByDefault?: boolean
  errorBody(error: WireError): unknown
  /** Whether an engine's error body is in this API's shape already, so that it can pass as it is. */
  isErrorBody(text: string): boolean
  /**
   * How many choices a request asks for, where one answer may hold several; `field` reads a member
   * of its body. Absent: always one.
   */
  choicesAsked?(field: (name: string) => unknown): number
  /** The usage of a whole JSON answer, null when it has none; `field` reads a member of it. */
  readUsage(field: (name: string) => unknown): Usage | null
  /**
   * Whether `stream_options.include_usage` exists here, so that the gateway can ask for a usage
   * event that the client did not ask for, and hide it.
   */
  readonly hasStreamOptions: boolean
  /** How a stream that broke off goes on elsewhere; absent: not at all. */
  readonly continuation?: AnswerContinuation
}
