import { stoppedExitCode } from '#cli/stop-signals.ts'

/**
 * What a command ends with: 0 is for all that went well. A name that nobody in the fleet has, of a
 * node, a deployment, a replica or a request, is understood, and the answer is no, whoever finds it
 * missing; what is not understood, as a form or a device that Motley has never heard of, is wrong.
 */
export const exitCodes = {
  /** The question was understood and the answer is no: nothing is healthy, nothing is known. */
  no: 1,
  /** Wrong usage or configuration. */
  wrong: 2,
  /** Something that is needed cannot be reached: a gateway, a port, a file to download. */
  unreachable: 3,
  /** Somebody pressed Ctrl-C, and nothing was done. */
  stopped: stoppedExitCode,
} as const

/** Ends a command. The message is one line for the user: what, why, and what to do. */
export class CommandFailure extends Error {
  readonly exitCode: number

  constructor(kind: keyof typeof exitCodes, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.exitCode = exitCodes[kind]
  }
}
