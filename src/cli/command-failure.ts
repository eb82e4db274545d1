/** What a command ends with: 0 is for all that went well. */
export const exitCodes = {
  /** The question was understood and the answer is no: nothing is healthy, nothing is known. */
  no: 1,
  /** Wrong usage or configuration. */
  wrong: 2,
  /** Something that is needed cannot be reached: a gateway, a port, a file to download. */
  unreachable: 3,
} as const

/** Ends a command. The message is one line for the user: what, why, and what to do. */
export class CommandFailure extends Error {
  readonly exitCode: number

  constructor(kind: keyof typeof exitCodes, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.exitCode = exitCodes[kind]
  }
}
