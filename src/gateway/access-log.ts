/**
 * One JSON line for each request, with no prompt, answer or key in it. Lines are written in
 * batches and never waited for: a full disk or a slow pipe costs lines, which are counted, and
 * never a request.
 */
import sonicBoom from 'sonic-boom'

export interface AccessLog {
  /** False when nobody wants lines, so that none need be made. */
  readonly wanted: boolean
  write(line: Readonly<Record<string, unknown>>): void
  readonly dropped: number
  close(): void
}

/** Lines wait in memory up to here when the file cannot keep up. */
const waitingBytesMax = 4 * 1024 * 1024

/** `where` is `stderr`, `stdout`, `off` or the path of a file to append to. */
export function openAccessLog(where: string): AccessLog {
  if (where === 'off') return { wanted: false, write() {}, dropped: 0, close() {} }
  const target =
    where === 'stderr' ? { fd: 2 } : where === 'stdout' ? { fd: 1 } : { dest: where, append: true }
  const sink = new sonicBoom.SonicBoom({
    ...target,
    sync: false,
    mkdir: true,
    maxLength: waitingBytesMax,
    minLength: 0,
  })
  let dropped = 0
  let closed = false
  sink.on('drop', () => dropped++)
  sink.on('error', () => dropped++)
  return {
    wanted: true,
    write(line) {
      if (!closed) sink.write(`${JSON.stringify(line)}\n`)
    },
    get dropped() {
      return dropped
    },
    close() {
      if (closed) return
      closed = true
      // Standard streams belong to the process; files are ours to end.
      if ('dest' in target) sink.end()
      else sink.flush(() => {})
    },
  }
}
