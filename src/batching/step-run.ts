/**
 * Equal steps that follow each other: nothing happens in them but that every sequence gets a token.
 * The k-th takes firstMs + (k - 1) × growthMs, since each token is one more to attend to.
 */
export class StepRun {
  startMs = 0
  steps = 1
  firstMs = 0
  growthMs = 0

  /** When so many of them are over. */
  endMs(steps: number): number {
    return this.startMs + this.#lengthMs(steps)
  }

  /** How many are over by then; the last one never is. */
  stepsDoneBy(nowMs: number): number {
    if (this.steps === 1) return 0
    const elapsedMs = nowMs - this.startMs
    if (elapsedMs < this.firstMs) return 0
    const most = this.steps - 1
    if (this.firstMs === 0 && this.growthMs === 0) return most
    const half = this.growthMs / 2
    const linear = this.firstMs - half
    const root =
      half === 0
        ? elapsedMs / linear
        : (Math.sqrt(linear * linear + 4 * half * elapsedMs) - linear) / (2 * half)
    let done = Math.min(most, Math.max(0, Math.floor(root)))
    // The root may miss a whole number by a rounding; the times themselves decide.
    while (done > 0 && this.endMs(done) > nowMs) done -= 1
    while (done < most && this.endMs(done + 1) <= nowMs) done += 1
    return done
  }

  #lengthMs(steps: number): number {
    return steps === 1
      ? this.firstMs
      : steps * this.firstMs + (this.growthMs * steps * (steps - 1)) / 2
  }
}
