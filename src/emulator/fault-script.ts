import type { EmulatorClock } from '#emulator/clock.ts'
import { type Fault, formatFault } from '#emulator/fault.ts'
import { chanceOf } from '#emulator/words.ts'

/** What a fault may look at in a request. */
export interface FaultSubject {
  readonly model: string
  readonly task: string
  /** Whether the last message is the assistant's. */
  readonly hasPrefill: boolean
}

interface Line {
  readonly fault: Fault
  /** Requests that met every condition but `first`, `every` and `chance`. */
  met: number
  fired: number
}

/**
 * The list of faults and how often each was met. It decides which apply to a request; what they
 * do is written in `faults/`.
 */
export class FaultScript {
  readonly #clock: EmulatorClock
  readonly #seed: number
  readonly #sinceMs: number
  readonly #lines: readonly Line[]

  constructor(faults: readonly Fault[], clock: EmulatorClock, seed: number) {
    this.#clock = clock
    this.#seed = seed
    this.#sinceMs = clock.nowMs()
    this.#lines = faults.map((fault) => ({ fault, met: 0, fired: 0 }))
  }

  get isEmpty(): boolean {
    return this.#lines.length === 0
  }

  /** The faults of one inference request, in the order of the script. Counts it as met. */
  forRequest(subject: FaultSubject): readonly Fault[] {
    const hits: Fault[] = []
    for (const [index, line] of this.#lines.entries()) {
      const { when, kind } = line.fault
      if (kind === 'refuse' || kind === 'slow-health') continue
      if (kind === 'reject-prefill' && !subject.hasPrefill) continue
      if (when.model !== undefined && when.model !== subject.model) continue
      if (when.task !== undefined && when.task !== subject.task) continue
      if (!this.#isItsTime(line.fault)) continue
      line.met += 1
      if (when.first !== undefined && line.met > when.first) continue
      if (when.every !== undefined && line.met % when.every !== 0) continue
      if (when.chance !== undefined && chanceOf(this.#seed + index, line.met) >= when.chance)
        continue
      line.fired += 1
      hits.push(line.fault)
    }
    return hits
  }

  /** Faults of the health page that are on now. Looking at them counts nothing. */
  forHealth(): readonly Fault[] {
    return this.#lines
      .filter(({ fault, fired }) => {
        const { first } = fault.when
        return this.#isItsTime(fault) && (first === undefined || fired < first)
      })
      .map(({ fault }) => fault)
  }

  /** Whether the listening socket is to be closed now. */
  refusesNow(): boolean {
    return this.#lines.some(({ fault }) => fault.kind === 'refuse' && this.#isItsTime(fault))
  }

  /** In how many milliseconds the next `refuse` begins or ends; null when none will. */
  refusalChangesInMs(): number | null {
    const elapsedMs = this.#clock.nowMs() - this.#sinceMs
    const momentsMs = this.#lines
      .filter(({ fault }) => fault.kind === 'refuse')
      .flatMap(({ fault }) => [fault.when.afterMs ?? 0, fault.when.untilMs ?? 0])
      .filter((momentMs) => momentMs > elapsedMs)
    return momentsMs.length === 0 ? null : Math.min(...momentsMs) - elapsedMs
  }

  describe(): readonly { readonly fault: string; readonly fired: number }[] {
    return this.#lines.map(({ fault, fired }) => ({ fault: formatFault(fault), fired }))
  }

  #isItsTime({ when }: Fault): boolean {
    const elapsedMs = this.#clock.nowMs() - this.#sinceMs
    return (
      elapsedMs >= (when.afterMs ?? 0) && elapsedMs < (when.untilMs ?? Number.POSITIVE_INFINITY)
    )
  }
}
