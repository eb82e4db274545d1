/** How fast something goes, and how long it will take: over the last seconds, not since the start. */

/** Long enough to be steady, short enough to notice that the line has become slow. */
const windowMs = 10_000
/** Before that, any rate would be a guess. */
const firstRateMs = 500

export class TransferRate {
  /** Bytes so far at some moments, the oldest first. */
  readonly #marks: { readonly atMs: number; readonly bytes: number }[] = []

  /** `bytes`: all that have been transferred until now. */
  mark(atMs: number, bytes: number): void {
    const last = this.#marks.at(-1)
    // Ten marks a second are enough, and keep the list short.
    if (last !== undefined && atMs - last.atMs < 100) this.#marks.pop()
    this.#marks.push({
      atMs: last !== undefined && atMs - last.atMs < 100 ? last.atMs : atMs,
      bytes,
    })
    while (this.#marks.length > 2 && atMs - (this.#marks[1]?.atMs ?? atMs) >= windowMs) {
      this.#marks.shift()
    }
  }

  /** Null while too little is known. */
  bytesPerSecond(nowMs: number): number | null {
    const first = this.#marks[0]
    const last = this.#marks.at(-1)
    if (first === undefined || last === undefined || nowMs - first.atMs < firstRateMs) return null
    return ((last.bytes - first.bytes) * 1000) / (nowMs - first.atMs)
  }

  /** Null while nobody can tell: nothing moves, or the end is not known. */
  remainingMs(nowMs: number, remainingBytes: number | null): number | null {
    const rate = this.bytesPerSecond(nowMs)
    return rate === null || rate <= 0 || remainingBytes === null
      ? null
      : (remainingBytes * 1000) / rate
  }
}
