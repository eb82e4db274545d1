import type { Framing } from '#std/frame-splitter.ts'
import { sseData } from '#std/sse-data.ts'

/** What a frame carries; null where it is only there to keep the connection alive. */
export function frameData(frame: Buffer, framing: Framing): string | null {
  return framing === 'sse' ? sseData(frame) : frame.toString('utf8')
}
