import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { parseTrace, TraceError } from '#simulator/traces/parse-trace.ts'
import type { Trace } from '#simulator/traces/trace.ts'

/** Reads a trace from a file, compressed or not. Rejects with {@link TraceError}. */
export async function loadTrace(path: string): Promise<Trace> {
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'there is no such file' : message
    throw new TraceError(`${path}: ${why}`, { cause: error })
  }
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b
  try {
    return parseTrace((isGzip ? gunzipSync(bytes) : bytes).toString('utf8'), basename(path))
  } catch (error) {
    if (error instanceof TraceError) throw error
    throw new TraceError(`${path}: cannot be unpacked: ${String(error)}`, { cause: error })
  }
}
