/**
 * What can go wrong with weights, as one class: the code is for programs, the message is one line
 * for the person who asked (what could not be done, why, what to do).
 */
export type WeightsErrorCode =
  /** The text names no weights. */
  | 'wrong_reference'
  /** The source does not have it. */
  | 'not_found'
  /** A token or an accepted licence is missing. */
  | 'not_allowed'
  /** No connection, or the other side keeps failing. */
  | 'unreachable'
  /** What arrived is not what was promised: hash, size, or an answer that is no HTTP we know. */
  | 'wrong_content'
  /** The file is not, or no longer, what its format says. */
  | 'bad_file'
  /** A model, but its format has no header to look into. */
  | 'no_header'
  | 'disk_full'
  /** The disk refuses for another reason: permissions, a folder that is a file. */
  | 'disk_failed'
  /** An engine, or another motley, uses it. */
  | 'in_use'

export class WeightsError extends Error {
  readonly code: WeightsErrorCode

  constructor(code: WeightsErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.name = 'WeightsError'
    this.code = code
  }
}
