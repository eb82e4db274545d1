/**
 * One line for each request, with no prompt, answer or key in it: JSON, or on a terminal a short one
 * for people. Lines are written in batches and never waited for: a full disk or a slow pipe costs
 * lines, which are counted, and never a request.
 */
import { closeSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { isatty } from 'node:tty'
import sonicBoom from 'sonic-boom'
import { type AccessEntry, accessText } from '#gateway/access-line.ts'
import { makeFolderSync } from '#std/make-folder.ts'

export interface AccessLog {
  /** False when nobody wants lines, so that none need be made. */
  readonly wanted: boolean
  write(entry: AccessEntry): void
  readonly dropped: number
  /** Resolves when what was written has reached the file. */
  close(): Promise<void>
}

/** Lines wait in memory up to here when the file cannot keep up. */
const waitingBytesMax = 4 * 1024 * 1024

/** A full disk or a reader that stopped would never take the last lines. */
const flushMsMax = 1_000

/** The file cannot be written; the message says which and why. */
export class AccessLogError extends Error {}

function checkAppendable(path: string): void {
  try {
    makeFolderSync(dirname(path))
    closeSync(openSync(path, 'a'))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new AccessLogError(
      `gateway.accessLog: ${path} cannot be written (${code}): name another file, stderr, stdout or off`,
      { cause: error },
    )
  }
}

/**
 * `where` is `stderr`, `stdout`, `off` or the path of a file to append to; `auto` is text on a
 * terminal and JSON elsewhere. Throws {@link AccessLogError}.
 */
export function openAccessLog(where: string, format: 'auto' | 'json' | 'text'): AccessLog {
  if (where === 'off') return { wanted: false, write() {}, dropped: 0, close: async () => {} }
  if (where !== 'stderr' && where !== 'stdout') checkAppendable(where)
  const target =
    where === 'stderr' ? { fd: 2 } : where === 'stdout' ? { fd: 1 } : { dest: where, append: true }
  const sink = new sonicBoom.SonicBoom({
    ...target,
    sync: false,
    mkdir: true,
    maxLength: waitingBytesMax,
    minLength: 0,
  })
  const isTerminal = 'fd' in target && isatty(target.fd)
  const isText = format === 'text' || (format === 'auto' && isTerminal)
  const lineOf = isText ? accessText : JSON.stringify
  let dropped = 0
  let closed = false
  sink.on('drop', () => dropped++)
  sink.on('error', () => dropped++)
  return {
    wanted: true,
    write(entry) {
      if (!closed) sink.write(`${lineOf(entry)}\n`)
    },
    get dropped() {
      return dropped
    },
    async close() {
      if (closed) return
      closed = true
      // What cannot be written does not hold up the end.
      const written = new Promise<void>((resolve) => sink.flush(() => resolve()))
      const tooLate = new Promise<void>((resolve) => setTimeout(resolve, flushMsMax).unref())
      await Promise.race([written, tooLate])
      // Standard streams belong to the process; files are ours to end.
      if ('dest' in target) sink.end()
    },
  }
}
