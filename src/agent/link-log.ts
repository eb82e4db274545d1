/** What people hear of the line to the controller: each thing once, and again after a while. */
import type { Clock } from '#std/clock.ts'

/** Nobody wants to read it with every try, and somebody looks into the log an hour later. */
const tellAgainMs = 5 * 60_000

/** A controller that makes up kinds of messages does not fill the log. */
const strangeKindsMax = 20

export class LinkLog {
  readonly #clock: Clock
  readonly #write: (line: string) => void
  #toldProblem: string | null = null
  #toldAtMs = 0
  readonly #strangeKinds = new Set<string>()

  constructor(clock: Clock, write: (line: string) => void) {
    this.#clock = clock
    this.#write = write
  }

  /** A problem; nothing where it is the one that was told last. */
  tell(problem: string): void {
    if (problem === this.#toldProblem) return
    this.#write(problem)
    this.#toldProblem = problem
    this.#toldAtMs = this.#clock.nowMs()
  }

  /** With the first try that fails, and then now and again. */
  tellUnreachable(address: string, reason: string, hasJoined: boolean): void {
    const nowMs = this.#clock.nowMs()
    if (this.#toldProblem !== null && nowMs - this.#toldAtMs < tellAgainMs) return
    const more = hasJoined ? '; replicas go on' : ''
    this.#toldProblem = null
    this.tell(`the controller at ${address} cannot be reached (${reason}); trying again${more}`)
  }

  /** What is passed over is told once: nobody can do more about it than update. */
  tellStrange(kind: string): void {
    if (this.#strangeKinds.has(kind) || this.#strangeKinds.size >= strangeKindsMax) return
    this.#strangeKinds.add(kind)
    this.#write(
      `the controller is newer and says "${kind}", which this agent passes over: update Motley here`,
    )
  }

  /** The line is there: whatever comes next is a new problem. */
  noteUp(): void {
    this.#toldProblem = null
  }
}
