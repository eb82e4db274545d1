import type { Stream } from '#routing/fastest/stream.ts'

/**
 * How many answers are expected to end badly because of a stall that comes on top of another.
 *
 * Each stream earns its TPOT target with every token and pays for time as it passes. What it has
 * left is its balance; it ends well if that is not negative when it ends. A prompt that is
 * computed beside it delays all streams of the endpoint alike: one whose balance is smaller than
 * the stall is in debt until it has earned the difference, and ends badly if it ends before.
 *
 *   chance to end badly ≈ tokens until it is out of debt / tokens it expects to write
 *
 * Young streams have next to nothing, but much to write; old ones have saved up.
 */
export function answersLost(
  decoding: readonly Stream[],
  so: {
    /** A step as they are now: what a token costs. */
    readonly stepMs: number
    /** The stall that comes anyway. */
    readonly pendingMs: number
    /** What is added to it. */
    readonly stallMs: number
    readonly nowMs: number
  },
): number {
  const { stepMs, pendingMs, nowMs } = so
  const allMs = pendingMs + so.stallMs
  let lost = 0
  for (let at = 0; at < decoding.length; at++) {
    const { targetMs, tokens, firstAtMs, expectedTokens } = decoding[at] as Stream
    const gainMs = targetMs - stepMs
    // One that cannot earn is lost whatever comes, and one without a target cannot be: no say.
    if (gainMs <= 0 || targetMs === Number.POSITIVE_INFINITY) continue
    const balanceMs = targetMs * (tokens - 1) - (nowMs - firstAtMs)
    if (balanceMs >= allMs) continue
    const debtMs = allMs - Math.max(balanceMs, pendingMs)
    lost += Math.min(1, debtMs / (gainMs * expectedTokens))
  }
  return lost
}
