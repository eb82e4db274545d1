/**
 * How one API streams an answer: how it is cut into frames, how a whole answer ends, and how an
 * error is said once the status line has gone out.
 */

import type { Usage } from '#openai/usage.ts'
import type { Framing } from '#std/frame-splitter.ts'

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
 * - `choices-end`: the choices in this frame have ended; the answer is whole when all have.
 * - `error`: the engine says that it failed.
 * - `more`: anything else.
 */
export type FrameMeaning = 'end' | 'complete' | 'choices-end' | 'error' | 'more'

export interface StreamShape {
  readonly framing: Framing
  /** `data` of an event, or a line of NDJSON. Called for the last few frames of a stream only. */
  meaning(data: string): FrameMeaning
  /**
   * The indexes of the choices that a frame ends, where one stream carries several choices. Called
   * for each frame of such a stream, so it parses only what looks like an end.
   */
  endedChoices?(data: string): readonly number[]
  /** Sent after a complete answer whose engine forgot it; null when there is no such marker. */
  readonly endMarker: string | null
  errorFrame(error: WireError): string
  /**
   * Whether a frame carries a piece of the answer, and not only how it begins or ends. Called for the
   * first and the last few frames of streams whose engine does not report what they came to.
   */
  isContent(data: string): boolean
  /** The usage that a frame carries, or null. */
  readUsage(data: string): Usage | null
}
