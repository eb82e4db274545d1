/**
 * How one API streams an answer: how it is cut into frames, how a whole answer ends, and how an
 * error is said once the status line has gone out.
 */
import type { Usage } from '#openai/usage.ts'

/** An error as it is told to a client, before the API's own shape is put around it. */
export interface WireError {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly param: string | null
}

/**
 * What one frame means for the end of the answer.
 *
 * - `end`: nothing comes after it.
 * - `complete`: the answer is whole, although the end marker is still to come.
 * - `error`: the engine says that it failed.
 * - `more`: anything else.
 */
export type FrameMeaning = 'end' | 'complete' | 'error' | 'more'

export interface StreamShape {
  readonly framing: 'sse' | 'ndjson'
  /** `data` of an event, or a line of NDJSON. Called for the last few frames of a stream only. */
  meaning(data: string): FrameMeaning
  /** Sent after a complete answer whose engine forgot it; null when there is no such marker. */
  readonly endMarker: string | null
  errorFrame(error: WireError): string
  /** The usage that a frame carries, or null. */
  readUsage(data: string): Usage | null
}

/** Parses one frame's JSON; null for anything that is not an object. */
export function frameObject(data: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(data)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}
