/** A script that fails, fails mostly for every request of a busy minute: it is said once in a while. */
const quietMs = 10_000

export interface ScriptTrouble {
  /** Of the script that is asked now. */
  readonly failures: number
  /** What went wrong last, and when. */
  readonly why: string
  readonly atMs: number
}

export class ScriptFailureLog {
  #trouble: ScriptTrouble | null = null
  #unsaid = 0
  #quietUntilMs = Number.NEGATIVE_INFINITY

  /** The line to tell the operator; null where it was said a moment ago. */
  note(why: string, nowMs: number): string | null {
    this.#trouble = { failures: (this.#trouble?.failures ?? 0) + 1, why, atMs: nowMs }
    this.#unsaid++
    if (nowMs < this.#quietUntilMs) return null
    this.#quietUntilMs = nowMs + quietMs
    const times = this.#unsaid === 1 ? '' : ` (${this.#unsaid} times since it was said last)`
    this.#unsaid = 0
    return `routing.script failed, and rules alone decided: ${why}${times}`
  }

  /** Null while the script has answered whatever it was asked. */
  get trouble(): ScriptTrouble | null {
    return this.#trouble
  }

  /** Another script is asked from now on, and what it does wrong is news. */
  begin(): void {
    this.#trouble = null
    this.#unsaid = 0
    this.#quietUntilMs = Number.NEGATIVE_INFINITY
  }
}
