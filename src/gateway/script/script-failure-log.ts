/** A script that fails, fails mostly for every request of a busy minute: it is said once in a while. */
const quietMs = 10_000

export class ScriptFailureLog {
  #unsaid = 0
  #quietUntilMs = Number.NEGATIVE_INFINITY

  /** The line to tell the operator; null where it was said a moment ago. */
  note(why: string, nowMs: number): string | null {
    this.#unsaid++
    if (nowMs < this.#quietUntilMs) return null
    this.#quietUntilMs = nowMs + quietMs
    const times = this.#unsaid === 1 ? '' : ` (${this.#unsaid} times since it was said last)`
    this.#unsaid = 0
    return `routing.script failed, and rules alone decided: ${why}${times}`
  }

  /** Another script is asked from now on, and what it does wrong is news. */
  begin(): void {
    this.#unsaid = 0
    this.#quietUntilMs = Number.NEGATIVE_INFINITY
  }
}
