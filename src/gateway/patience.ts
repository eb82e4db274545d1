/**
 * How long a stream's first byte is waited for where another endpoint could answer instead. An engine
 * that hangs on one request says nothing of it, and the usual limit is made for the longest prompt on
 * the slowest machine: minutes. What was measured of this endpoint tells more.
 */
import type { PredictedPace } from '#gateway/exchange.ts'
import type { Deadlines } from '#gateway/watchdog.ts'

/** So much later than predicted, it is not the prediction that is wrong. */
const patienceRatio = 10

/** `lateFirstByteMs` is the least that is waited; 0 waits as long as without others. */
export function withPatience(
  deadlines: Deadlines,
  predicted: PredictedPace | null,
  lateFirstByteMs: number,
): Deadlines {
  if (lateFirstByteMs === 0 || predicted === null || predicted.isGuess) return deadlines
  const patienceMs = Math.max(lateFirstByteMs, patienceRatio * predicted.ttftMs)
  return patienceMs < deadlines.firstByteMs ? { ...deadlines, firstByteMs: patienceMs } : deadlines
}
